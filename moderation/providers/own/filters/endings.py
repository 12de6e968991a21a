"""The last parts of domain names, to tell `example.org` from `file.txt` where no scheme says so.

All of the countries' and, of the many others, those that are in common use or in common misuse.
A name that ends otherwise counts as a link when it has a scheme, `www.` or a path.
"""

from __future__ import annotations

COUNTRIES = frozenset(
    {
        "ac", "ad", "ae", "af", "ag", "ai", "al", "am", "ao", "aq", "ar", "as", "at", "au", "aw",
        "ax", "az", "ba", "bb", "bd", "be", "bf", "bg", "bh", "bi", "bj", "bm", "bn", "bo", "br",
        "bs", "bt", "bw", "by", "bz", "ca", "cc", "cd", "cf", "cg", "ch", "ci", "ck", "cl", "cm",
        "cn", "co", "cr", "cu", "cv", "cw", "cx", "cy", "cz", "de", "dj", "dk", "dm", "do", "dz",
        "ec", "ee", "eg", "er", "es", "et", "eu", "fi", "fj", "fk", "fm", "fo", "fr", "ga", "gd",
        "ge", "gf", "gg", "gh", "gi", "gl", "gm", "gn", "gp", "gq", "gr", "gs", "gt", "gu", "gw",
        "gy", "hk", "hm", "hn", "hr", "ht", "hu", "id", "ie", "il", "im", "in", "io", "iq", "ir",
        "is", "it", "je", "jm", "jo", "jp", "ke", "kg", "kh", "ki", "km", "kn", "kp", "kr", "kw",
        "ky", "kz", "la", "lb", "lc", "li", "lk", "lr", "ls", "lt", "lu", "lv", "ly", "ma", "mc",
        "md", "me", "mg", "mh", "mk", "ml", "mm", "mn", "mo", "mp", "mq", "mr", "ms", "mt", "mu",
        "mv", "mw", "mx", "my", "mz", "na", "nc", "ne", "nf", "ng", "ni", "nl", "no", "np", "nr",
        "nu", "nz", "om", "pa", "pe", "pf", "pg", "ph", "pk", "pl", "pm", "pn", "pr", "ps", "pt",
        "pw", "py", "qa", "re", "ro", "rs", "ru", "rw", "sa", "sb", "sc", "sd", "se", "sg", "sh",
        "si", "sk", "sl", "sm", "sn", "so", "sr", "ss", "st", "su", "sv", "sx", "sy", "sz", "tc",
        "td", "tf", "tg", "th", "tj", "tk", "tl", "tm", "tn", "to", "tr", "tt", "tv", "tw", "tz",
        "ua", "ug", "uk", "us", "uy", "uz", "va", "vc", "ve", "vg", "vi", "vn", "vu", "wf", "ws",
        "ye", "yt", "za", "zm", "zw",
    }
)  # fmt: skip
OTHERS = frozenset(
    {
        "app", "art", "asia", "bar", "best", "bet", "bid", "biz", "blog", "bond", "buzz", "cam",
        "casa", "casino", "cat", "cfd", "chat", "click", "cloud", "club", "codes", "com", "coop",
        "cyou", "date", "dev", "digital", "download", "edu", "email", "exchange", "expert",
        "finance", "fit", "fun", "fyi", "gay", "gle", "gov", "group", "guru", "icu", "info", "ink",
        "int", "jobs", "kim", "life", "link", "live", "loan", "lol", "ltd", "market", "media",
        "mil", "mobi", "mom", "money", "monster", "museum", "name", "net", "network", "news",
        "ninja", "one", "online", "ooo", "org", "page", "party", "photo", "pics", "porn", "press",
        "pro", "promo", "pub", "quest", "racing", "rest", "review", "rocks", "rip", "run", "sale",
        "sbs", "science", "sex", "sexy", "shop", "site", "social", "solutions", "space", "store",
        "stream", "studio", "support", "team", "tech", "tel", "today", "tokyo", "tools", "top",
        "trade", "travel", "vip", "video", "wang", "webcam", "website", "wiki", "win", "work",
        "works", "world", "wtf", "xin", "xxx", "xyz", "zone",
    }
)  # fmt: skip
# Also words, or endings of files: `We left.It rained` and `main.py` are links only where they are
# written as addresses.
AMBIGUOUS = frozenset({"am", "as", "at", "be", "by", "do", "in", "is", "it", "me", "my", "no"})
AMBIGUOUS |= {"so", "to", "us", "best", "cat", "date", "life", "money", "name", "one", "run"}
AMBIGUOUS |= {"today", "work", "cc", "md", "ps", "py", "rs", "sh"}


def is_ending(label: str) -> bool:
    """Whether a label may end a domain name; those in other scripts all may."""
    known = label in COUNTRIES or label in OTHERS or label.startswith("xn--")
    return known or not label.isascii()
