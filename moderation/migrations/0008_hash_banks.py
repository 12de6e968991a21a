import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from moderation.vocabulary import BankKind, Category


class Migration(migrations.Migration):
    dependencies = [("moderation", "0007_what_clients_call_a_post")]

    operations = [
        migrations.CreateModel(
            name="HashBank",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                (
                    "kind",
                    models.CharField(choices=BankKind.choices, default="image", max_length=10),
                ),
                (
                    "category",
                    models.CharField(choices=Category.choices, default="other", max_length=20),
                ),
                ("max_distance", models.PositiveSmallIntegerField(default=31)),
                ("active", models.BooleanField(default=True)),
                ("version", models.PositiveBigIntegerField(default=0, editable=False)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "community",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="hash_banks",
                        to="moderation.community",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", BankKind.values)),
                        name="hash_bank_kind_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("category__in", Category.values)),
                        name="hash_bank_category_known",
                    ),
                    models.UniqueConstraint(
                        fields=("community", "name"), name="hash_bank_name_once"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("community__isnull", True)),
                        fields=("name",),
                        name="hash_bank_name_once_for_all",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "image"), ("max_distance__lte", 128)),
                            models.Q(("kind", "text"), ("max_distance__lte", 16)),
                            _connector="OR",
                        ),
                        name="hash_bank_distance_fits",
                    ),
                ],
            },
        ),
        migrations.AddField(
            "bankedhash",
            "bank",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="entries",
                to="moderation.hashbank",
            ),
        ),
        migrations.AlterField(
            "bankedhash",
            "perceptual_hash",
            models.CharField(blank=True, default="", max_length=64),
        ),
        migrations.AddField(
            "bankedhash", "fingerprint", models.CharField(blank=True, default="", max_length=64)
        ),
        migrations.AddField(
            "bankedhash", "simhash", models.CharField(blank=True, default="", max_length=16)
        ),
        migrations.AlterField(
            "bankedhash", "max_distance", models.PositiveSmallIntegerField(blank=True, null=True)
        ),
        migrations.AddField(
            "bankedhash",
            "enforcement",
            models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="banked_hashes",
                to="moderation.enforcement",
            ),
        ),
        migrations.AddField(
            "bankedhash",
            "quarantined_at",
            models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            "bankedhash", "version", models.PositiveBigIntegerField(default=0, editable=False)
        ),
    ]
