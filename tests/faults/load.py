"""Clients of the API: they post and edit at a given pace, and repeat whatever was not answered."""

from __future__ import annotations

import heapq
import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, ClassVar

from tests.faults import processes

REQUEST_SECONDS = 8.0
# As on a telephone in a tunnel: some clients are gone before the answer is, and ask again.
IMPATIENT_SHARE = 0.15
IMPATIENT_SECONDS = (0.005, 0.06)
PAUSE_SECONDS = 0.3
METHODS = ("GET", "PATCH", "POST")

HARMLESS = (
    "The tomatoes on my balcony are finally ripe, letter {}.",
    "We walked along the river and watched the boats, letter {}.",
    "Does anyone know when the library opens on Sunday? Letter {}.",
    "My sister baked bread this morning and it smells wonderful, letter {}.",
    "The train to the lake leaves at noon from platform four, letter {}.",
)
THREATS = (
    "I will kill you, you worthless idiot, letter {}.",
    "I am going to murder you and your family, letter {}.",
    "You are a disgusting piece of garbage and I will find you and hurt you, letter {}.",
)


@dataclass(frozen=True, slots=True)
class Form:
    """A request's body with files in it."""

    fields: Mapping[str, str]
    files: Sequence[bytes]

    BOUNDARY: ClassVar[str] = "gatehouse-faults"

    def encoded(self) -> bytes:
        parts = [
            f'form-data; name="{name}"\r\n\r\n{value}'.encode()
            for name, value in self.fields.items()
        ] + [
            b'form-data; name="media"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n' + file
            for file in self.files
        ]
        lead = f"--{self.BOUNDARY}\r\nContent-Disposition: ".encode()
        return b"".join(lead + part + b"\r\n" for part in parts) + f"--{self.BOUNDARY}--".encode()


Body = dict[str, Any] | Form | None


@dataclass(slots=True)
class Letter:
    """One post and its planned edits, with what the client was told so far."""

    key: str
    author: str
    # Each planned revision: its text, and whether it deserves to be kept from readers.
    revisions: list[tuple[str, bool]]
    due: float
    edit_pause: float
    # What each revision shows besides its text; each replaces what was shown before.
    pictures: list[Sequence[bytes]] = field(default_factory=list)
    id: str = ""
    revision: int = 0

    def body(self) -> dict[str, Any] | Form:
        """Return what is sent next: the post itself, or its next edit."""
        text, _ = self.revisions[self.revision]
        is_edit = bool(self.id)
        if self.pictures:
            # An edit keeps none of the pictures before.
            about = {"keep_media": ""} if is_edit else {"author_id": self.author}
            return Form({"text": text, **about}, self.pictures[self.revision])
        if is_edit:
            return {"text": text}
        return {"text": text, "author": {"id": self.author}, "channel": self.key}

    def expected(self) -> dict[str, Any]:
        current = max(self.revision, 1) - 1
        text, is_threat = self.revisions[current]
        shown = self.pictures[current] if self.pictures else []
        return {
            "key": self.key,
            "id": self.id,
            "revision": self.revision,
            "text": text,
            "is_threat": is_threat,
            "pictures": sorted(sha256(picture).hexdigest() for picture in shown),
        }


def write_letters(
    chance: random.Random, *, posts: int, edits: int, seconds: float, run: str
) -> list[Letter]:
    """Return `posts` posts with `edits` edits among them, spread evenly over `seconds`.

    A third are threats; every edit turns a harmless text into a threat or a threat into a
    harmless one.
    """
    extra = Counter(chance.choice(range(posts)) for _ in range(edits))
    letters = []
    for number in range(posts):
        is_threat = chance.random() < 1 / 3
        revisions = []
        for turn in range(1 + extra[number]):
            text = chance.choice(THREATS if is_threat else HARMLESS)
            revisions.append((text.format(f"{numbered(number)}-{turn + 1}"), is_threat))
            is_threat = not is_threat
        letters.append(
            Letter(
                key=f"{run}-{number}",
                # Many authors: a threat makes its author watched, which changes the lane.
                author=f"writer-{number % 60}",
                revisions=revisions,
                due=seconds * number / posts,
                # From "while the first verdict is in flight" to "long after it".
                edit_pause=chance.choice((0.0, 0.02, 0.1, 1.0, 3.0)),
            )
        )
    return letters


def numbered(number: int) -> str:
    """Return a number as a harmless text may hold it: some with an 8 are watchwords of hatred."""
    return f"{number:o}"


@dataclass
class Tally:
    """What the clients saw, over all threads."""

    answers: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    # When a request succeeded (monotonic), in order.
    successes: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def note(self, what: str, took: float | None = None) -> None:
        with self.guard:
            self.answers[what] += 1
            if took is not None:
                self.seconds.append(took)
            if _status(what).startswith("2"):
                self.successes.append(time.monotonic())

    def errors(self) -> int:
        """Return how many requests were answered with a server's error."""
        return sum(n for what, n in self.answers.items() if _status(what).startswith("5"))

    def broken(self) -> int:
        """Return how many requests got no answer."""
        return sum(n for what, n in self.answers.items() if _is_broken(what))

    def fault(self, text: str) -> None:
        with self.guard:
            self.faults.append(text)


def _status(what: str) -> str:
    """Return the status of what was noted of a request, or the name of its error."""
    return what.rpartition(" ")[2]


def _is_broken(what: str) -> bool:
    return what.split(maxsplit=1)[0] in METHODS and not _status(what).isdecimal()


class Clients:
    """Threads that take letters when they are due, in order."""

    def __init__(
        self,
        ports: Sequence[int],
        key: str,
        *,
        threads: int = 8,
        some_are_impatient: bool = False,
    ) -> None:
        self.tally = Tally()
        self._some_are_impatient = some_are_impatient
        self._ports = ports
        self._key = key
        self._waiting: list[tuple[float, int, Letter]] = []
        self._open = 0
        self._guard = threading.Condition()
        self._ends = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name=f"client-{number}", daemon=True)
            for number in range(threads)
        ]

    def start(self, letters: Sequence[Letter]) -> None:
        now = time.monotonic()
        self._waiting = [(now + letter.due, n, letter) for n, letter in enumerate(letters)]
        heapq.heapify(self._waiting)
        self._open = len(letters)
        for thread in self._threads:
            thread.start()

    @property
    def open_letters(self) -> int:
        """How many posts still wait for an answer to themselves or to an edit."""
        return self._open

    def deliver(self, letters: Sequence[Letter], *, seconds: float) -> None:
        """Send letters and wait, at most `seconds`, until each is answered."""
        self.start(letters)
        try:
            processes.wait_until(
                lambda: self._open == 0, seconds=seconds, what="every post is answered"
            )
        finally:
            self.stop()
        if self.tally.faults:
            raise AssertionError(self.tally.faults[:5])

    def take_no_more(self) -> None:
        """Send nothing that is not begun; what is under way is finished."""
        with self._guard:
            begun = [one for one in self._waiting if one[2].id]
            self._open -= len(self._waiting) - len(begun)
            self._waiting = begun
            heapq.heapify(self._waiting)
            self._guard.notify_all()

    def stop(self) -> None:
        self._ends.set()
        with self._guard:
            self._guard.notify_all()
        for thread in self._threads:
            thread.join(REQUEST_SECONDS + 1)

    def _work(self) -> None:
        while (taken := self._take()) is not None:
            number, letter = taken
            try:
                self._send_next(letter)
            except Exception as error:  # noqa: BLE001 - a thread's last word, judged by the test
                self.tally.fault(f"{letter.key}: {type(error).__name__}: {error}")
                letter.revisions = letter.revisions[: max(letter.revision, 1)]
            with self._guard:
                if letter.revision < len(letter.revisions) and not self._ends.is_set():
                    due = time.monotonic() + letter.edit_pause
                    heapq.heappush(self._waiting, (due, number, letter))
                else:
                    self._open -= 1
                self._guard.notify_all()

    def _take(self) -> tuple[int, Letter] | None:
        with self._guard:
            while not self._ends.is_set() and self._open:
                if self._waiting:
                    wait = self._waiting[0][0] - time.monotonic()
                    if wait <= 0:
                        _, number, letter = heapq.heappop(self._waiting)
                        return number, letter
                    self._guard.wait(wait)
                else:
                    self._guard.wait(0.5)
        return None

    def _send_next(self, letter: Letter) -> None:
        if letter.id:
            self._edit(letter)
        else:
            self._post(letter)

    def _post(self, letter: Letter) -> None:
        headers = {"Idempotency-Key": letter.key}
        status, answer = self._until_answered("POST", "/api/v1/posts", letter.body(), headers)
        if status != 202:
            raise RuntimeError(f"POST was answered with {status}: {answer}")
        letter.id, letter.revision = answer["id"], answer["revision"]

    def _edit(self, letter: Letter) -> None:
        """Send the next text; an edit has no key, so a 412 may be our own earlier success."""
        text, _ = letter.revisions[letter.revision]
        path = f"/api/v1/posts/{letter.id}"
        headers = {"If-Match": f'"{letter.revision}"'}
        status, answer = self._until_answered("PATCH", path, letter.body(), headers)
        if status == 412:
            status, answer = self._until_answered("GET", path, None, {})
            if answer["body"] != text:
                raise RuntimeError(f"Refused as stale, although nobody else edits: {answer}")
            self.tally.note("edit had succeeded before")
        if status not in (200, 202) or answer["revision"] != letter.revision + 1:
            raise RuntimeError(f"PATCH was answered with {status}: {answer}")
        letter.revision = answer["revision"]

    def _until_answered(
        self, method: str, path: str, body: Body, headers: dict[str, str]
    ) -> tuple[int, dict[str, Any]]:
        """Repeat the same request, at either server, until one answers for good."""
        chance = random.Random(f"{method} {path} {body}")
        patience = REQUEST_SECONDS
        if self._some_are_impatient and chance.random() < IMPATIENT_SHARE:
            patience = chance.uniform(*IMPATIENT_SECONDS)
        while not self._ends.is_set():
            began = time.monotonic()
            port = chance.choice(self._ports)
            try:
                status, answer = self._ask(port, method, path, body, headers, patience)
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.tally.note(f"{method} {type(error).__name__}")
                time.sleep(PAUSE_SECONDS if patience == REQUEST_SECONDS else 0)
                patience = REQUEST_SECONDS
                continue
            self.tally.note(f"{method} {status}", time.monotonic() - began)
            if status not in (409, 429, 500, 502, 503, 504):
                return status, answer
            time.sleep(PAUSE_SECONDS)
        raise TimeoutError("The test ended before this was answered.")

    def _ask(
        self,
        port: int,
        method: str,
        path: str,
        body: Body,
        headers: dict[str, str],
        patience: float,
    ) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=patience)
        kind, content = _encoded(body)
        try:
            connection.request(
                method,
                path,
                body=content,
                headers={
                    "Authorization": f"Bearer {self._key}",
                    "Content-Type": kind,
                    "Connection": "close",
                    **headers,
                },
            )
            response = connection.getresponse()
            answer: dict[str, Any] = json.loads(response.read() or b"{}")
            return response.status, answer
        finally:
            connection.close()


def _encoded(body: Body) -> tuple[str, bytes | None]:
    if isinstance(body, Form):
        return f"multipart/form-data; boundary={Form.BOUNDARY}", body.encoded()
    return "application/json", None if body is None else json.dumps(body).encode()


def spread(seconds: Sequence[float]) -> dict[str, float]:
    """Return what half of the values, 99 in 100 and all of them stay below."""
    return {
        name: percentile(seconds, share)
        for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
    }


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0-1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
