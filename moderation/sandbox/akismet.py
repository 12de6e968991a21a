"""Akismet: the comment check and the calls beside it. Form in, a word out."""

from __future__ import annotations

from typing import ClassVar
from urllib.parse import parse_qs
from uuid import uuid4

from moderation.sandbox.marks import marked_scores
from moderation.sandbox.protocol import Desk, Reply, Request

# Akismet's own magic inputs.
SPAMMER, SPAM_MAIL, ADMINISTRATOR = (
    "viagra-test-123",
    "akismet-guaranteed-spam@example.com",
    "administrator",
)
SPAM_FROM, BLATANT_FROM = 0.5, 0.98
THANKS = b"Thanks for making the web a better place."
# Keys that stand for accounts in trouble, with the alert of each.
ALERTS = {
    "personal-key": ("10003", "You must upgrade your Personal subscription."),
    "suspended-key": ("10402", "Your account is suspended for non-payment."),
    "foreign-key": ("10005", "Your key is used on another site."),
}
_NEEDED = ("blog", "user_ip")
Form = dict[str, str]


class AkismetService:
    prefix: ClassVar[str] = "akismet"

    def answer(self, request: Request, desk: Desk) -> Reply:
        form = _form(request)
        key = form.get("api_key") or form.get("key", "")
        match request.path:
            case "/1.1/verify-key":
                return _said("invalid" if _is_bad(key) else "valid")
            case "/1.1/comment-check" | "/1.1/submit-spam" | "/1.1/submit-ham":
                refused = _refused(key, form)
                if refused is not None:
                    return refused
                return _checked(form) if request.path.endswith("check") else _said(THANKS)
            case "/1.2/usage-limit" if not _is_bad(key):
                return Reply(
                    body={
                        "limit": "350000",
                        "usage": 7463,
                        "percentage": "2.13",
                        "throttled": False,
                    }
                )
            case path if path.startswith("/1.2/"):
                return _invalid("We were unable to parse your key.")
        return self.failure(404, None)

    def failure(self, status: int, retry_after: str | None) -> Reply:
        return Reply(status, f"Invented error {status}.".encode(), _TEXT)


_TEXT = {"Content-Type": "text/plain; charset=utf-8"}


def _form(request: Request) -> Form:
    given = parse_qs(request.body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[0] for name, values in (given or request.query).items()}


def _is_bad(key: str) -> bool:
    return not key or key == "bad-key"


def _refused(key: str, form: Form) -> Reply | None:
    if _is_bad(key):
        return _invalid("We were unable to parse your key.")
    if key in ALERTS:
        code, message = ALERTS[key]
        reply = _invalid(message)
        alert = {"X-akismet-alert-code": code, "X-akismet-alert-msg": message}
        return Reply(200, reply.body, {**reply.headers, **alert})
    missing = next((name for name in _NEEDED if not form.get(name)), None)
    if missing is not None:
        sentence = f"Missing required field: {missing}"
        return _said(sentence, {"X-akismet-debug-help": sentence})
    return None


def _checked(form: Form) -> Reply:
    guid = {"X-akismet-guid": uuid4().hex}
    if form.get("user_role") == ADMINISTRATOR:
        return _said("false", guid)
    marks = marked_scores(form.get("comment_content", ""))
    spam = marks.get("spam", 0.0)
    named = form.get("comment_author") == SPAMMER or form.get("comment_author_email") == SPAM_MAIL
    if spam >= BLATANT_FROM:
        return _said("true", {**guid, "X-akismet-pro-tip": "discard"})
    if spam >= SPAM_FROM or named:
        return _said("true", guid)
    if "recheck" in marks:
        return _said("false", {**guid, "X-akismet-recheck-after": "120"})
    return _said("false", guid)


def _invalid(help_text: str) -> Reply:
    return _said("invalid", {"X-akismet-debug-help": help_text})


def _said(body: str | bytes, headers: Form | None = None) -> Reply:
    content = body.encode() if isinstance(body, str) else body
    return Reply(200, content, {**_TEXT, **(headers or {})})
