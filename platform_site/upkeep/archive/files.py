"""Carries attachments between the media store and a folder, with their digests.

A file is never changed once it is written; it is only ever removed. So a copy needs no lock, and
what is gone when its turn comes has been removed since the moment that the database shows.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

from django.core.files.base import File
from django.core.files.storage import default_storage

from platform_site.upkeep.archive.manifest import Refused

CHUNK: Final = 1024 * 1024
# Where uploads lie until a worker has made our copy of them: they may be gone within seconds.
INCOMING: Final = "incoming"
# What the media store holds that rows name.
FOLDERS: Final = ("posts", INCOMING)


@dataclass(frozen=True, slots=True)
class Kept:
    """One file of the media store; of one that was not there any more only its name is known."""

    item: str
    name: str
    size: int = -1
    sha256: str = ""

    @property
    def is_missing(self) -> bool:
        return self.size < 0


def keep_incoming(folder: Path) -> None:
    """Copy what was uploaded just now, before the moment that the database is read at."""
    with suppress(FileNotFoundError):
        for name in default_storage.listdir(INCOMING)[1]:
            with suppress(FileNotFoundError):
                _keep(folder, f"{INCOMING}/{name}")


def keep_files(folder: Path, named: Iterable[tuple[str, str]]) -> Iterator[Kept]:
    """Copy the named files into a folder, unless they are there already."""
    for item, name in named:
        try:
            size, sha256 = _keep(folder, name)
        except FileNotFoundError:
            yield Kept(item, name)
        else:
            yield Kept(item, name, size, sha256)


def drop_others(folder: Path, named: set[str]) -> None:
    """Remove copies of uploads that no row named at the moment."""
    for path in sorted((folder / INCOMING).glob("*")):
        if f"{INCOMING}/{path.name}" not in named:
            path.unlink()


def _keep(folder: Path, name: str) -> tuple[int, str]:
    path = place_of(folder, name)
    if path.exists():
        return measure(path)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.draft")
    with default_storage.open(name, "rb") as source, draft.open("wb") as target:
        size, sha256 = copy(source, target)
    draft.replace(path)
    return size, sha256


def place_of(folder: Path, name: str) -> Path:
    """Return where a file lies in a folder; raises `Refused` for a name that leads out of it."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts:
        raise Refused(f"{name!r} is no name of a file in the media store.")
    return folder.joinpath(*parts)


def copy(source: Any, target: IO[bytes]) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    while block := source.read(CHUNK):
        target.write(block)
        size += len(block)
        digest.update(block)
    return size, digest.hexdigest()


def measure(path: Path) -> tuple[int, str]:
    """Return a file's size and SHA-256 (hex)."""
    with path.open("rb") as file:
        return _measure(file)


def _measure(file: Any) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    while block := file.read(CHUNK):
        size += len(block)
        digest.update(block)
    return size, digest.hexdigest()


# --- the list ------------------------------------------------------------------------------------


def write_list(path: Path, files: Iterable[Kept]) -> dict[str, int]:
    """Write what was kept, a line of JSON a file; return the sums."""
    sums = {"files": 0, "bytes": 0, "missing": 0}
    with path.open("w", encoding="utf-8") as lines:
        for one in files:
            lines.write(json.dumps(asdict(one)) + "\n")
            if one.is_missing:
                sums["missing"] += 1
            else:
                sums["files"] += 1
                sums["bytes"] += one.size
    return sums


def read_list(path: Path) -> Iterator[Kept]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield Kept(**json.loads(line))


# --- and back ------------------------------------------------------------------------------------


def check_files(folder: Path, files: Iterable[Kept]) -> None:
    """Raise `Refused` for the first file that is not what it was when it was kept."""
    for one in files:
        if one.is_missing:
            continue
        path = place_of(folder, one.name)
        if not path.is_file():
            raise Refused(f"{path} is missing from the archive.")
        if measure(path) != (one.size, one.sha256):
            raise Refused(f"{path} was changed or damaged after it was kept.")


def is_store_empty() -> bool:
    for folder in FOLDERS:
        with suppress(FileNotFoundError):
            folders, names = default_storage.listdir(folder)
            if folders or names:
                return False
    return True


def put_back(folder: Path, files: Iterable[Kept]) -> int:
    """Copy files into the media store and read each again; return how many.

    Raises `Refused` for one that the store does not give back as it was.
    """
    done = 0
    for one in files:
        if one.is_missing:
            continue
        with place_of(folder, one.name).open("rb") as source:
            stored = default_storage.save(one.name, File(source))
        with default_storage.open(stored, "rb") as again:
            same = _measure(again) == (one.size, one.sha256)
        if stored != one.name or not same:
            raise Refused(f"The media store does not give {one.name} back as it was.")
        done += 1
    return done


# --- folders that are written whole or not at all ------------------------------------------------


def begin_folder(path: Path) -> Path:
    """Return a draft beside the folder that it is to become; remove what an earlier one left."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise Refused(f"{path} is there already: name a folder that is not.")
    draft = path.with_name(f"{path.name}.partial")
    if draft.exists():
        shutil.rmtree(draft)
    draft.mkdir(parents=True, mode=0o700)
    return draft


def end_folder(draft: Path, path: Path) -> None:
    """Give the folder its name when everything in it has reached the disk."""
    os.sync()
    draft.replace(path)
