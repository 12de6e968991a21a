from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("moderation", "0016_how_moderators_work"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="endpoint", name="endpoint_kind_known"),
        migrations.AlterField(
            model_name="endpoint",
            name="kind",
            field=models.CharField(
                choices=[
                    ("webhook", "Webhook"),
                    ("email", "E-mail to authors"),
                    ("cdn", "Media cache"),
                    ("stream", "Stream of events"),
                ],
                default="webhook",
                max_length=10,
            ),
        ),
        migrations.AddConstraint(
            model_name="endpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind__in", ["webhook", "email", "cdn", "stream"])),
                name="endpoint_kind_known",
            ),
        ),
    ]
