"""Which IP addresses an outbound request may touch: public unicast ones, nothing else.

Python's own `is_global` is not enough: it is true for multicast, for the NAT64, 6to4 and
IPv4-compatible forms of 127.0.0.1, and for site-local addresses.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

# What `is_global` lets through (or did in some release of Python), although it is not the web.
_BLOCKED_IPV4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # "this network"; Linux connects 0.0.0.0 to loopback
            "100.64.0.0/10",  # carrier NAT; one cloud keeps its metadata service here
            "168.63.129.16/32",  # another cloud's host agent, on a public address
            "192.0.0.0/24",  # protocol assignments, 192.0.0.8 among them
            "192.88.99.0/24",  # 6to4 relays
            "198.18.0.0/15",  # benchmarking
        ),
    )
)

# Global unicast is 2000::/3; everything else (ULA, link-local, site-local, multicast,
# mapped and compatible forms, local-use NAT64, segment routing) is refused by not being in it.
_GLOBAL_IPV6 = IPv6Network("2000::/3")
_BLOCKED_IPV6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # Teredo, ORCHID and other protocol assignments
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4: carries any IPv4 address
            "3fff::/20",  # documentation
        ),
    )
)
# The well-known NAT64 prefix: in an IPv6-only network every IPv4 site is reached through it.
_NAT64 = IPv6Network("64:ff9b::/96")
# ISATAP interface identifiers end in ::0:5efe:a.b.c.d or ::200:5efe:a.b.c.d.
_ISATAP_MARKS = (0x00005EFE, 0x02005EFE)


def is_public_address(address: str) -> bool:
    """Whether `address` (one textual IP address, as a resolver gives it) is on the public web.

    Anything that is not a plain IP address, one with a zone (`%eth0`) included, is not.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return _is_public_ipv4(parsed)
    return _is_public_ipv6(parsed)


def _is_public_ipv4(address: IPv4Address) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not any(address in network for network in _BLOCKED_IPV4)


def _is_public_ipv6(address: IPv6Address) -> bool:
    if address.scope_id is not None:
        return False
    last_32_bits = IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _NAT64:
        return _is_public_ipv4(last_32_bits)
    if address not in _GLOBAL_IPV6 or not address.is_global:
        return False
    if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP_MARKS:
        return _is_public_ipv4(last_32_bits)
    return not any(address in network for network in _BLOCKED_IPV6)
