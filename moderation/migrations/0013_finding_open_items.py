import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

OPEN = Q(state="open")


def near_mark(number: int) -> list[migrations.operations.base.Operation]:
    return [
        migrations.AddField(
            model_name="review",
            name=f"near_mark_{number}",
            field=models.PositiveIntegerField(editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(
                condition=OPEN,
                fields=[f"near_mark_{number}"],
                name=f"review_open_near_text_{number}",
            ),
        ),
    ]


class Migration(migrations.Migration):
    dependencies = [
        ("moderation", "0012_who_reports"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="author",
            name="name_key",
            field=models.GeneratedField(
                db_persist=True,
                expression=django.db.models.functions.text.Lower("name"),
                output_field=models.CharField(max_length=200),
            ),
        ),
        migrations.AddIndex(
            model_name="author",
            index=models.Index(
                fields=["name_key"], name="author_by_name", opclasses=["varchar_pattern_ops"]
            ),
        ),
        migrations.AddField(
            model_name="community",
            name="review_minutes",
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name="review",
            name="text_mark",
            field=models.CharField(blank=True, default="", editable=False, max_length=64),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(
                condition=OPEN & ~Q(text_mark=""),
                fields=["text_mark"],
                name="review_open_same_text",
            ),
        ),
        *[operation for number in range(1, 5) for operation in near_mark(number)],
        migrations.AddIndex(
            model_name="review",
            index=models.Index(
                condition=OPEN, fields=["lane", "rank_at"], name="review_open_by_lane"
            ),
        ),
        migrations.AddIndex(
            model_name="review",
            index=models.Index(
                condition=Q(state="open", holder__isnull=False),
                fields=["holder"],
                name="review_open_by_holder",
            ),
        ),
        migrations.CreateModel(
            name="SavedView",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=60)),
                ("query", models.CharField(blank=True, default="", max_length=1000)),
                (
                    "created_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                (
                    "shared_with",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="shared_views",
                        to="moderation.community",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="saved_views",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["name"],
                "constraints": [
                    models.UniqueConstraint(fields=["user", "name"], name="saved_view_once_a_name")
                ],
            },
        ),
    ]
