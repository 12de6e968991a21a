"""What services' settings take from the environment, when an account leaves them empty."""

from __future__ import annotations

import os
from pathlib import Path


def from_environment(name: str) -> str:
    """Return a variable, or the content of the file that `NAME_FILE` points to; "" for neither.

    A file that cannot be read is none: the service says then that its key is missing.
    """
    value = os.environ.get(name, "").strip() if name else ""
    path = os.environ.get(f"{name}_FILE", "").strip() if name else ""
    if value or not path:
        return value
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
