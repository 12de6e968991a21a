"""Stands before the servers, as nginx does: `python -m tests.faults.balancer PORT '{"/": [8001]}'`.

Each path goes to the servers of its longest prefix, in turn. A server that does not open is passed
over; a request that one may have begun is not repeated elsewhere unless it only reads. What then
stays unanswered is answered 502, and counted on the last line of the log.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

CONNECT_SECONDS = 5.0
HEAD_BYTES = 64 * 1024
BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Balancer:
    def __init__(self, doors: Mapping[str, Sequence[int]]) -> None:
        self._turns: dict[str, Iterator[int]] = {
            prefix: itertools.cycle(ports) for prefix, ports in doors.items()
        }
        self._counts = {prefix: len(ports) for prefix, ports in doors.items()}
        # The loop itself holds its tasks weakly.
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self.serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request of one connection to a server and its answer back."""
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = await reader.readuntil(b"\r\n\r\n")
            method, path, *_ = head.decode("latin-1").split(" ", 2)
            tries = 2 if method in ("GET", "HEAD") else 1
            for _ in range(tries):
                if await self._carry(path, head, reader, writer):
                    break
            else:
                print(json.dumps({"event": "bad_gateway", "request": f"{method} {path}"}))
                writer.write(BAD_GATEWAY)
                await writer.drain()
        with suppress(OSError):
            writer.close()
            await writer.wait_closed()

    async def _carry(
        self,
        path: str,
        head: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bool:
        """Return whether anything of an answer was passed on."""
        opened = await self._open(path)
        if opened is None:
            return False
        from_server, to_server = opened
        asked = asyncio.create_task(_pump(reader, to_server, first=head))
        try:
            return await _pump(from_server, writer) > 0
        finally:
            asked.cancel()
            with suppress(OSError, asyncio.CancelledError):
                await asked
            to_server.close()

    async def _open(self, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        prefix = max((one for one in self._turns if path.startswith(one)), key=len)
        for _ in range(self._counts[prefix]):
            with suppress(OSError, TimeoutError):
                return await asyncio.wait_for(
                    asyncio.open_connection("127.0.0.1", next(self._turns[prefix])),
                    CONNECT_SECONDS,
                )
        return None


async def _pump(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, *, first: bytes = b""
) -> int:
    """Pass on what comes until it ends or breaks; return how many bytes were passed."""
    passed = 0
    with suppress(OSError):
        data = first or await source.read(HEAD_BYTES)
        while data:
            target.write(data)
            await target.drain()
            passed += len(data)
            data = await source.read(HEAD_BYTES)
    return passed


async def main(port: int, doors: Mapping[str, Sequence[int]]) -> None:
    balancer = Balancer(doors)
    server = await asyncio.start_server(
        balancer.take, "127.0.0.1", port, limit=HEAD_BYTES, backlog=4096
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), json.loads(sys.argv[2])))
