"""What was sent, read in a bounded way: a body that is no good is a 4xx, whatever it holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from django.core.exceptions import RequestDataTooBig
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, MultiPartParser

from moderation.conf import get_conf

# Around the files of a form: texts, boundaries and headers.
_FORM_ALLOWANCE_BYTES = 1024 * 1024


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON.")


_decoder = json.JSONDecoder(parse_constant=_refuse_constant)


class BoundedJSONParser(BaseParser):
    """JSON in UTF-8, at most `DATA_UPLOAD_MAX_MEMORY_SIZE` bytes of it."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        assert parser_context is not None
        # The framework's own parser reads the stream without any limit; `body` has one.
        raw: bytes = parser_context["request"]._request.body
        try:
            return _decoder.decode(raw.decode())
        except RecursionError:
            raise ParseError("The JSON is nested too deeply.") from None
        except ValueError as error:
            raise ParseError(f"The body is not valid JSON: {error}") from None


class BoundedFormParser(MultiPartParser):
    """A form with files, refused before it is read when it is larger than any post can be."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        assert parser_context is not None
        conf = get_conf()
        most = conf.max_media_per_post * conf.max_upload_bytes + _FORM_ALLOWANCE_BYTES
        # The server reads no further than this header says.
        if int(parser_context["request"].META.get("CONTENT_LENGTH") or 0) > most:
            raise RequestDataTooBig(f"A form has at most {most} bytes.")
        return super().parse(stream, media_type, parser_context)
