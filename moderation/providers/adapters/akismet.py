"""Akismet, the spam filter. It answers in words, and puts what else it has to say into headers.

It judges a post by its author's address at least as much as by its text. Gatehouse passes no
author's address on, so it gets the one an operator has set, the same for every post.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import urlencode

from moderation.errors import (
    ProviderAuthFailed,
    ProviderMalformed,
    ProviderQuotaExhausted,
    ProviderRejected,
)
from moderation.outbound import Reply
from moderation.outbound.client import USER_AGENT
from moderation.providers.base import Answer, AnyPart, Facts, Setting, TextPart
from moderation.providers.shared.service import ServiceAdapter, not_judged, raise_for_status
from moderation.vocabulary import Category, Outcome, Part

SPAM, BLATANT_SPAM = 0.9, 1.0
# An account that is suspended may get any answer: none of them counts.
_SUSPENDED = frozenset({"10006", "10009", "10010", "10402"})
_WRONG_KEY = frozenset({"10001", "10005"})
_TO_BE_UPGRADED = frozenset({"10003", "10011"})
_KEPT_HEADERS = (
    "x-akismet-guid",
    "x-akismet-pro-tip",
    "x-akismet-recheck-after",
    "x-akismet-alert-code",
)


class AkismetAdapter(ServiceAdapter):
    facts: ClassVar[Facts] = Facts(
        label="Akismet",
        parts=frozenset({Part.TEXT}),
        doc="akismet",
        settings=(
            Setting("key", "API key", is_secret=True, required=True, env="AKISMET_API_KEY"),
            Setting(
                "blog",
                "Site",
                help="The full address of the site that posts appear on, as Akismet knows it.",
                required=True,
            ),
            Setting(
                "user_ip",
                "Address of authors",
                help="Akismet asks for an IP address. This one is sent with every post.",
                default="127.0.0.1",
            ),
            Setting(
                "user_agent",
                "Browser of authors",
                help="Sent with every post; empty: left out.",
            ),
            Setting(
                "comment_type",
                "Kind of posts",
                help="Such as forum-post, comment or message.",
                default="forum-post",
            ),
            Setting(
                "is_test",
                "Trial",
                help="Yes: Akismet learns nothing from what is sent.",
                default="no",
                choices=("no", "yes"),
            ),
            Setting("base_url", "Address", default="https://rest.akismet.com"),
        ),
        price="By subscription; amounts are not confirmed.",
    )

    def judge_one(self, part: AnyPart) -> Answer:
        if not isinstance(part, TextPart):
            raise ProviderRejected(f"{self.name} judges texts only.")
        reply = self.send(
            "POST",
            f"{self.option('base_url')}/1.1/comment-check",
            headers={
                "Content-Type": "application/x-www-form-urlencoded; charset=UTF-8",
                # The form that Akismet asks for: application, then plugin.
                "User-Agent": f"{USER_AGENT} | Gatehouse-Akismet/{self.revision}",
            },
            content=urlencode(self._fields(part)).encode(),
        )
        raise_for_status(reply)
        return _read(reply)

    def _fields(self, part: TextPart) -> dict[str, str]:
        fields = {
            "api_key": self.secret("key"),
            "blog": self.option("blog"),
            "user_ip": self.option("user_ip"),
            "user_agent": self.option("user_agent"),
            "comment_type": self.option("comment_type"),
            "comment_content": part.text,
            "blog_lang": part.language,
            "blog_charset": "UTF-8",
            "is_test": "1" if self.option("is_test") == "yes" else "",
        }
        return {name: value for name, value in fields.items() if value}


def _read(reply: Reply) -> Answer:
    said = reply.content.strip()
    _raise_for_alert(reply.headers.get("x-akismet-alert-code", ""), judged=said != b"invalid")
    raw = _raw(reply, said)
    if said == b"true":
        discard = reply.headers.get("x-akismet-pro-tip") == "discard"
        return Answer(
            Outcome.JUDGED, scores={Category.SPAM: BLATANT_SPAM if discard else SPAM}, raw=raw
        )
    if said == b"false":
        # "Not yet known, ask again later" is no judgement.
        if "x-akismet-recheck-after" in reply.headers:
            return not_judged("recheck_later", raw=raw)
        return Answer(Outcome.JUDGED, scores={Category.SPAM: 0.0}, raw=raw)
    if said == b"invalid":
        raise ProviderAuthFailed("The key or the site is not valid.")
    if "x-akismet-debug-help" in reply.headers:
        raise ProviderRejected("The request lacks what Akismet needs.")
    raise ProviderMalformed("The answer is none of true, false and invalid.")


def _raise_for_alert(code: str, *, judged: bool) -> None:
    if code in _SUSPENDED or (code in _TO_BE_UPGRADED and not judged):
        raise ProviderQuotaExhausted(f"The account must be renewed or upgraded: alert {code}.")
    if code in _WRONG_KEY:
        raise ProviderAuthFailed(f"The key is not for this: alert {code}.")


def _raw(reply: Reply, said: bytes) -> Mapping[str, object]:
    headers = {name: reply.headers[name] for name in _KEPT_HEADERS if name in reply.headers}
    return {"body": said[:200].decode("utf-8", "replace"), **headers}
