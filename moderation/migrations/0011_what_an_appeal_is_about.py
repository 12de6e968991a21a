"""Who decided what an appeal objects to, why its review was open before, and who looked again."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("moderation", "0010_hashes_belong_to_banks"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="submission", name="submission_one_due_a_post"),
        migrations.AddConstraint(
            model_name="submission",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "due"), models.Q(("reason", "appeal"), _negated=True)),
                fields=("post",),
                name="submission_one_due_a_post",
            ),
        ),
        migrations.AddField(
            model_name="appeal",
            name="lane_before",
            field=models.CharField(
                blank=True,
                choices=[
                    ("new", "New"),
                    ("escalated", "Escalated"),
                    ("appeal", "Appeals"),
                    ("report", "Reports"),
                    ("sample", "Quality samples"),
                ],
                default="",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="appeal",
            name="first_decider",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="appeal",
            name="second_opinion",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="appeals",
                to="moderation.submission",
            ),
        ),
    ]
