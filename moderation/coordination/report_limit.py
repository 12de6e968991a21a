"""How fast one reader may report, and one address may give notice of illegal content."""

from __future__ import annotations

import ipaddress
from typing import Final

from moderation.coordination.token_bucket import Limit, take
from moderation.errors import RateLimited

# More than anybody reads and judges in a minute; then one every two minutes.
REPORTS: Final = Limit(burst=20, per_second=1 / 120)
# A notice needs an explanation of its own: an office with one address may give several in a row.
NOTICES: Final = Limit(burst=10, per_second=1 / 300)
# One household's network, of which a computer may take any address.
_IPV6_NETWORK: Final = 64


def take_report_turn(reporter: str) -> None:
    """Count one report. Raises `RateLimited`, saying when to come back."""
    _take(f"report:{reporter}", REPORTS, "You have reported a lot. Report the rest a little later.")


def take_notice_turn(address: str) -> None:
    """Count one notice from an internet address. Raises `RateLimited`."""
    _take(
        f"notice:{network_of(address)}",
        NOTICES,
        "Many notices came from your address. Send the rest a little later.",
    )


def _take(name: str, limit: Limit, text: str) -> None:
    taken = take(name, limit)
    if not taken.allowed:
        raise RateLimited(text, retry_after_seconds=taken.retry_after_seconds, policy="reports")


def network_of(address: str) -> str:
    """Return what an address counts as: itself, or the network that a household has."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if found.version == 4:
        return address
    return str(ipaddress.ip_network((found, _IPV6_NETWORK), strict=False).network_address)
