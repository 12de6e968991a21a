"""Every adapter that exists, by name. A new one is a file and a line here."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from moderation.errors import ProviderRejected
from moderation.providers.base import Adapter

# Imported when first wanted: most installations use two or three of them.
_ADAPTERS = {
    "akismet": "moderation.providers.akismet:AkismetAdapter",
    "azure": "moderation.providers.azure:AzureAdapter",
    "clamd": "moderation.providers.clamd:ClamdAdapter",
    "discuse": "moderation.providers.discuse:DiscuseAdapter",
    "google_language": "moderation.providers.google_language:GoogleLanguageAdapter",
    "google_video": "moderation.providers.google_video:GoogleVideoAdapter",
    "google_vision": "moderation.providers.google_vision:GoogleVisionAdapter",
    "google_vision_text": "moderation.providers.google_vision_text:GoogleVisionTextAdapter",
    "hive": "moderation.providers.hive:HiveAdapter",
    "holysheep": "moderation.providers.holysheep:HolySheepAdapter",
    "llm_judge": "moderation.providers.llm_judge:LlmJudgeAdapter",
    "mistral": "moderation.providers.mistral:MistralAdapter",
    "model_server": "moderation.providers.model_server:ModelServerAdapter",
    "openai": "moderation.providers.openai:OpenAIAdapter",
    "perspective": "moderation.providers.perspective:PerspectiveAdapter",
    "rekognition": "moderation.providers.rekognition:RekognitionAdapter",
    "rekognition_video": "moderation.providers.rekognition_video:RekognitionVideoAdapter",
    "sightengine": "moderation.providers.sightengine:SightengineAdapter",
    "transcription": "moderation.providers.transcription:TranscriptionAdapter",
}


def adapter_names() -> list[str]:
    return list(_ADAPTERS)


@cache
def get_adapter(name: str) -> type[Adapter]:
    """Raises `ProviderRejected` for a name that no adapter has."""
    try:
        module, _, attribute = _ADAPTERS[name].partition(":")
    except KeyError:
        raise ProviderRejected(f"There is no adapter {name!r}.") from None
    adapter: type[Adapter] = getattr(import_module(module), attribute)
    return adapter
