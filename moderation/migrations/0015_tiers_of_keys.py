from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("moderation", "0014_policy_studio"),
    ]

    operations = [
        migrations.AddField(
            model_name="apikey",
            name="priority",
            field=models.CharField(
                choices=[
                    ("high", "Before others"),
                    ("normal", "In turn"),
                    ("low", "After others"),
                ],
                default="normal",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="rate_burst",
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="apikey",
            name="rate_per_second",
            field=models.FloatField(blank=True, null=True),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(("priority__in", ["high", "normal", "low"])),
                name="api_key_priority_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=(
                    models.Q(("rate_per_second__isnull", True))
                    | models.Q(("rate_per_second__gt", 0))
                )
                & (models.Q(("rate_burst__isnull", True)) | models.Q(("rate_burst__gt", 0))),
                name="api_key_may_send_something",
            ),
        ),
    ]
