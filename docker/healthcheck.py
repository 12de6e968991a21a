"""Ask this container's own server whether it can take posts: exit 0 if it can.

By the site's own name: a server that answers to no other name would refuse `localhost`.
"""

from __future__ import annotations

import os
import sys
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

SECONDS = 2.0


def main(path: str = "/health/ready") -> int:
    """Return the exit code, after saying what is wrong."""
    port = int(os.environ.get("PORT") or 8000)
    site = os.environ.get("GATEHOUSE_URL") or f"http://localhost:{port}"
    connection = HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    try:
        connection.request("GET", path, headers={"Host": urlsplit(site).netloc})
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        sys.stderr.write(f"{path}: {error or type(error).__name__}\n")
        return 1
    finally:
        connection.close()
    if status != 200:
        sys.stderr.write(f"{path}: HTTP {status}\n")
    return int(status != 200)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
