"""The one way out: every request that Gatehouse sends goes through `GuardedClient`.

What does not speak HTTP takes `open_stream`, or an address from `check_target`.

addresses   which addresses may be touched
targets     from a name to a socket: resolve, check, connect
client      resolve once, check, connect to that very address, read within limits
waits       how long a server asks us to stay away
streams     bytes to and from what does not speak HTTP
"""

from moderation.outbound.client import Fetched, GuardedClient, Reply, fetch
from moderation.outbound.streams import Stream, open_stream
from moderation.outbound.targets import check_target, parse_target

__all__ = [
    "Fetched",
    "GuardedClient",
    "Reply",
    "Stream",
    "check_target",
    "fetch",
    "open_stream",
    "parse_target",
]
