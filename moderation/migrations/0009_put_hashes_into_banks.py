"""What is banked so far goes into one bank of its community, or into one for all."""

from typing import Any

from django.db import migrations

_NAME = "Known images"


def _fill(apps: Any, schema_editor: Any) -> None:
    bank_model = apps.get_model("moderation", "HashBank")
    hash_model = apps.get_model("moderation", "BankedHash")
    communities = hash_model.objects.filter(bank=None).values_list("community_id", flat=True)
    for community_id in set(communities):
        bank, _ = bank_model.objects.get_or_create(community_id=community_id, name=_NAME)
        bank.version += 1
        bank.save()
        hash_model.objects.filter(bank=None, community_id=community_id).update(
            bank=bank, version=bank.version
        )


class Migration(migrations.Migration):
    dependencies = [("moderation", "0008_hash_banks")]

    operations = [migrations.RunPython(_fill, migrations.RunPython.noop)]
