"""A small server that speaks the parts of S3's protocol that are used here, over real HTTP.

It computes each request's signature (AWS Signature Version 4) anew and refuses what is not signed
with its key, keeps objects in memory, and can be told to be away.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.sax.saxutils import escape

ACCESS_KEY, SECRET_KEY, NAME = "AKTEST", "not-a-real-secret", "attachments"


@dataclass
class Bucket:
    """What is in the bucket, and what was asked of it, as `GET name`."""

    objects: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    address: str = ""
    is_away: bool = False


@contextmanager
def running_bucket() -> Iterator[Bucket]:
    bucket = Bucket()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(bucket))
    server.daemon_threads = True
    bucket.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield bucket
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler_of(bucket: Bucket) -> type[BaseHTTPRequestHandler]:
    class Handler(_Handler):
        pass

    Handler.bucket = bucket
    return Handler


class _Handler(BaseHTTPRequestHandler):
    bucket: Bucket
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def _serve(self) -> None:
        content = self._content()
        parts = urlsplit(self.path)
        place, _, name = unquote(parts.path).lstrip("/").partition("/")
        self.bucket.asked.append(f"{self.command} {name}")
        if self.bucket.is_away:
            self._refuse(503, "SlowDown")
        elif not self._is_signed(content):
            self._refuse(403, "SignatureDoesNotMatch")
        elif place != NAME:
            self._refuse(404, "NoSuchBucket")
        elif not name:
            self._list(dict(parse_qsl(parts.query)))
        else:
            getattr(self, f"_{self.command.lower()}")(name, content)

    do_GET = do_PUT = do_HEAD = do_DELETE = _serve  # noqa: N815  # as the base class asks

    def _content(self) -> bytes:
        if "chunked" not in self.headers.get("Content-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        # As AWS frames a stream whose checksum follows it.
        whole = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return whole

    # --- objects ---------------------------------------------------------------------------------

    def _put(self, name: str, content: bytes) -> None:
        self.bucket.objects[name] = content
        self._answer(200, b"", {"ETag": f'"{hashlib.md5(content).hexdigest()}"'})

    def _get(self, name: str, _: bytes) -> None:
        content = self.bucket.objects.get(name)
        if content is None:
            return self._refuse(404, "NoSuchKey")
        asked = self.headers.get("Range")
        if not asked:
            return self._answer(200, content, self._about(content))
        first, last = (int(one) for one in asked.removeprefix("bytes=").split("-"))
        told = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
        return self._answer(206, content[first : last + 1], self._about(content) | told)

    def _head(self, name: str, _: bytes) -> None:
        content = self.bucket.objects.get(name)
        if content is None:
            return self._refuse(404, "NoSuchKey")
        return self._answer(200, content, self._about(content))

    def _delete(self, name: str, _: bytes) -> None:
        self.bucket.objects.pop(name, None)
        self._answer(204, b"", {})

    def _list(self, asked: dict[str, str]) -> None:
        prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter", "")
        folders, found = set(), []
        for name, content in sorted(self.bucket.objects.items()):
            rest = name.removeprefix(prefix)
            if not name.startswith(prefix):
                continue
            if delimiter and delimiter in rest:
                folders.add(prefix + rest.split(delimiter)[0] + delimiter)
            else:
                found.append(
                    f"<Contents><Key>{escape(name)}</Key><Size>{len(content)}</Size></Contents>"
                )
        common = "".join(
            f"<CommonPrefixes><Prefix>{escape(one)}</Prefix></CommonPrefixes>"
            for one in sorted(folders)
        )
        self._answer(
            200,
            '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<IsTruncated>false</IsTruncated>{''.join(found)}{common}</ListBucketResult>".encode(),
            {"Content-Type": "application/xml"},
        )

    def _about(self, content: bytes) -> dict[str, str]:
        return {
            "Last-Modified": datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT"),
            "Accept-Ranges": "bytes",
            "Content-Type": "application/octet-stream",
            "ETag": f'"{hashlib.md5(content).hexdigest()}"',
        }

    def _refuse(self, status: int, code: str) -> None:
        body = f'<?xml version="1.0"?><Error><Code>{code}</Code></Error>'.encode()
        self._answer(status, body, {"Content-Type": "application/xml"})

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    # --- signatures ------------------------------------------------------------------------------

    def _is_signed(self, content: bytes) -> bool:
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html"""
        scheme, _, rest = self.headers.get("Authorization", "").partition(" ")
        said = dict(part.strip().split("=", 1) for part in rest.split(",") if "=" in part)
        who, *scope = said.get("Credential", "").split("/")
        if scheme != "AWS4-HMAC-SHA256" or who != ACCESS_KEY:
            return False
        payload = self.headers["x-amz-content-sha256"]
        if not payload.startswith(("UNSIGNED", "STREAMING")) and (
            payload != hashlib.sha256(content).hexdigest()
        ):
            return False
        signed = said["SignedHeaders"].split(";")
        parts = urlsplit(self.path)
        query = sorted(parse_qsl(parts.query, keep_blank_values=True))
        request = "\n".join(
            [
                self.command,
                quote(unquote(parts.path), safe="/-_.~"),
                "&".join(
                    f"{quote(key, safe='-_.~')}={quote(value, safe='-_.~')}" for key, value in query
                ),
                *(f"{name}:{' '.join(self.headers[name].split())}" for name in signed),
                "",
                said["SignedHeaders"],
                payload,
            ]
        )
        digest = hashlib.sha256(request.encode()).hexdigest()
        text = "\n".join([scheme, self.headers["x-amz-date"], "/".join(scope), digest])
        key = f"AWS4{SECRET_KEY}".encode()
        for step in scope:
            key = hmac.new(key, step.encode(), hashlib.sha256).digest()
        wanted = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        return hmac.compare_digest(wanted, said["Signature"])
