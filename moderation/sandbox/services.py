"""Every service that the sandbox pretends to be, by the first step of its address."""

from __future__ import annotations

from importlib import import_module

from moderation.sandbox.protocol import Service

# Imported when first called: nobody tests fifteen services at once.
_SERVICES = {
    "akismet": "moderation.sandbox.akismet:AkismetService",
    "azure": "moderation.sandbox.azure:AzureService",
    "discuse": "moderation.sandbox.discuse:DiscuseService",
    "google_language": "moderation.sandbox.google_language:GoogleLanguageService",
    "google_token": "moderation.sandbox.google_token:GoogleTokenService",
    "google_video": "moderation.sandbox.google_video:GoogleVideoService",
    "google_vision": "moderation.sandbox.google_vision:GoogleVisionService",
    "hive": "moderation.sandbox.hive:HiveService",
    "holysheep": "moderation.sandbox.holysheep:HolySheepService",
    "llm": "moderation.sandbox.llm:LlmService",
    "mistral": "moderation.sandbox.mistral:MistralService",
    "openai": "moderation.sandbox.openai:OpenAIService",
    "perspective": "moderation.sandbox.perspective:PerspectiveService",
    "rekognition": "moderation.sandbox.rekognition:RekognitionService",
    "sightengine": "moderation.sandbox.sightengine:SightengineService",
    "transcription": "moderation.sandbox.transcription:TranscriptionService",
}


class NotServed(Exception):
    """The sandbox has no such service; the message says which it has."""


def service_names() -> list[str]:
    return list(_SERVICES)


def make_service(prefix: str) -> Service:
    """Return a new service, which remembers nothing yet. Raises `NotServed`."""
    if prefix not in _SERVICES:
        raise NotServed(f"There is no service {prefix!r}. There are: {', '.join(_SERVICES)}.")
    path, _, name = _SERVICES[prefix].partition(":")
    try:
        module = import_module(path)
    except ModuleNotFoundError as missing:
        if missing.name != path:
            raise
        raise NotServed(f"{prefix!r} is not served: there is no {path}.") from missing
    service: Service = getattr(module, name)()
    return service
