"""Every adapter that exists, by name. A new one is a file and a line here."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from moderation.errors import ProviderRejected
from moderation.providers.base import Adapter

_PACKAGE = "moderation.providers.adapters"
# Imported when first wanted: most installations use two or three of them.
_ADAPTERS = {
    "akismet": "akismet:AkismetAdapter",
    "azure": "azure:AzureAdapter",
    "clamd": "clamd:ClamdAdapter",
    "discuse": "discuse:DiscuseAdapter",
    "google_language": "google_language:GoogleLanguageAdapter",
    "google_video": "google_video:GoogleVideoAdapter",
    "google_vision": "google_vision:GoogleVisionAdapter",
    "google_vision_text": "google_vision_text:GoogleVisionTextAdapter",
    "hive": "hive:HiveAdapter",
    "holysheep": "holysheep:HolySheepAdapter",
    "llm_judge": "llm_judge:LlmJudgeAdapter",
    "mistral": "mistral:MistralAdapter",
    "model_server": "model_server:ModelServerAdapter",
    "openai": "openai:OpenAIAdapter",
    "perspective": "perspective:PerspectiveAdapter",
    "rekognition": "rekognition:RekognitionAdapter",
    "rekognition_video": "rekognition_video:RekognitionVideoAdapter",
    "sightengine": "sightengine:SightengineAdapter",
    "transcription": "transcription:TranscriptionAdapter",
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
    adapter: type[Adapter] = getattr(import_module(f"{_PACKAGE}.{module}"), attribute)
    return adapter
