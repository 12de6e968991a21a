import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("moderation", "0009_put_hashes_into_banks")]

    operations = [
        migrations.RemoveConstraint("bankedhash", "banked_hash_once_a_community"),
        migrations.RemoveConstraint("bankedhash", "banked_hash_once_for_all"),
        migrations.RemoveField("bankedhash", "community"),
        migrations.AlterField(
            "bankedhash",
            "bank",
            models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="entries",
                to="moderation.hashbank",
            ),
        ),
        migrations.AddIndex(
            "bankedhash", models.Index(fields=["bank", "version"], name="banked_hash_changes")
        ),
        migrations.AddIndex(
            "bankedhash",
            models.Index(
                condition=models.Q(("quarantined_at__isnull", False)),
                fields=["-quarantined_at"],
                name="banked_hash_quarantined",
            ),
        ),
        migrations.AddConstraint(
            "bankedhash",
            models.UniqueConstraint(
                fields=("bank", "perceptual_hash", "fingerprint", "enforcement"),
                name="banked_hash_once_an_enforcement",
            ),
        ),
        migrations.AddConstraint(
            "bankedhash",
            models.UniqueConstraint(
                condition=models.Q(("enforcement__isnull", True)),
                fields=("bank", "perceptual_hash", "fingerprint"),
                name="banked_hash_once_by_hand",
            ),
        ),
        migrations.AddConstraint(
            "bankedhash",
            models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        models.Q(("perceptual_hash", ""), _negated=True),
                        ("fingerprint", ""),
                        ("simhash", ""),
                    ),
                    models.Q(("perceptual_hash", ""), models.Q(("fingerprint", ""), _negated=True)),
                    _connector="OR",
                ),
                name="banked_hash_is_one_thing",
            ),
        ),
    ]
