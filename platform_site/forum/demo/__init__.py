"""The demo community: its `people`, what they say (`script`), and how it is told (`stage`).

`found` brings it into being once.
"""

from platform_site.forum.demo.people import PASSWORD
from platform_site.forum.demo.stage import found

__all__ = ["PASSWORD", "found"]
