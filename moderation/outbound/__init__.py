"""The one way out: every request that Gatehouse sends goes through `GuardedClient`.

addresses   which addresses may be touched
client      resolve once, check, connect to that very address, read within limits
"""

from moderation.outbound.client import Fetched, GuardedClient, Reply, fetch

__all__ = ["Fetched", "GuardedClient", "Reply", "fetch"]
