from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("moderation", "0017_streams_of_events")]

    operations = [
        migrations.CreateModel(
            name="AuditCheckpoint",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("position", models.PositiveBigIntegerField(unique=True)),
                ("seal_digest", models.CharField(max_length=64)),
                ("events", models.PositiveBigIntegerField()),
                ("signed_at", models.DateTimeField()),
                ("public_key", models.CharField(max_length=64)),
                ("signature", models.CharField(max_length=128)),
            ],
        ),
        migrations.AlterModelOptions(
            name="author",
            options={
                "permissions": [("erase_person", "Can erase a person and all that they wrote")]
            },
        ),
    ]
