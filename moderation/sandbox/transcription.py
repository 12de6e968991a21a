"""A transcription endpoint as OpenAI's, which hears what a file's marks say: `[[say: hello]]`.

Several are said one after the other; words may hold marks of their own, as
`[[say: you [[hate=0.9]] lot]]`. A file without any is silence.
"""

from __future__ import annotations

import re
from email.message import Message
from email.parser import BytesParser
from typing import ClassVar

from moderation.sandbox.protocol import Desk, Reply, Request

MAX_BYTES = 25 * 1024 * 1024
_SAID = re.compile(rb"\[\[say: ?((?:[^\[\]]|\[\[[^\[\]]*\]\])*)\]\]")
# By their names, since the service goes by these.
_ENDINGS = ("flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "ogg", "wav", "webm")


class TranscriptionService:
    prefix: ClassVar[str] = "transcription"

    def answer(self, request: Request, desk: Desk) -> Reply:
        path = request.path.rstrip("/").removeprefix("/v1")
        if request.headers.get("authorization", "") in ("", "Bearer bad-key"):
            return _error(401, "Incorrect API key provided.", code="invalid_api_key")
        if (request.method, path) != ("POST", "/audio/transcriptions"):
            return _error(404, f"Unknown request URL: {request.method} {path}.")
        form = _read_form(request)
        sound = form.get("file")
        if sound is None or "model" not in form:
            return _error(400, "You must provide a model and a file parameter.")
        content = sound.get_payload(decode=True)
        assert isinstance(content, bytes)
        if len(content) > MAX_BYTES:
            return _error(413, f"Maximum content size limit ({MAX_BYTES}) exceeded.")
        if not (sound.get_filename() or "").endswith(_ENDINGS):
            return _error(400, f"Invalid file format. Supported formats: {list(_ENDINGS)}")
        return _transcribed(_heard(content), _field(form, "response_format") or "json")

    def failure(self, status: int, retry_after: str | None) -> Reply:
        code = "rate_limit_exceeded" if status == 429 else ""
        return _error(status, "This failure was asked for.", code=code)


def _read_form(request: Request) -> dict[str, Message]:
    head = f"Content-Type: {request.headers.get('content-type', '')}\r\n\r\n".encode()
    message = BytesParser().parsebytes(head + request.body)
    parts = message.get_payload() if message.is_multipart() else []
    return {
        str(part.get_param("name", header="content-disposition")): part
        for part in parts
        if isinstance(part, Message)
    }


def _field(form: dict[str, Message], name: str) -> str:
    value = form[name].get_payload(decode=True) if name in form else b""
    return value.decode() if isinstance(value, bytes) else ""


def _heard(content: bytes) -> str:
    return " ".join(words.decode(errors="replace").strip() for words in _SAID.findall(content))


def _transcribed(text: str, wanted: str) -> Reply:
    match wanted:
        case "json":
            return Reply(body={"text": text, "usage": {"type": "duration", "seconds": 3}})
        case "text":
            return Reply(body=f"{text}\n".encode(), headers={"Content-Type": "text/plain"})
        case "verbose_json":
            return Reply(
                body={
                    "task": "transcribe",
                    "language": "english",
                    "duration": 3.0,
                    "text": text,
                    "segments": [],
                }
            )
        case _:
            return _error(400, f"The response format {wanted} is not supported here.")


def _error(status: int, message: str, *, code: str = "") -> Reply:
    error = {
        "message": message,
        "type": "server_error" if status >= 500 else "invalid_request_error",
        "param": None,
        "code": code or None,
    }
    return Reply(status, {"error": error})
