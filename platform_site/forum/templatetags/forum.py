"""Filters for the forum's templates."""

from __future__ import annotations

from datetime import datetime

from django import template
from django.utils import timezone
from django.utils.html import format_html, linebreaks, urlize
from django.utils.safestring import SafeString

register = template.Library()

_STEPS = (("day", 86_400), ("hour", 3_600), ("minute", 60))
# Beyond this, a date says more than a count.
_MOST_DAYS = 14


@register.filter
def written(text: str) -> SafeString:
    """Return what a person wrote as paragraphs with links. Everything in it is escaped first."""
    escaped = urlize(text, nofollow=True, autoescape=True)
    return SafeString(linebreaks(escaped, autoescape=False))


@register.filter
def ago(moment: datetime) -> SafeString:
    """Return a moment as people say it, with the exact time for machines and on hovering."""
    seconds = max(0, int((timezone.now() - moment).total_seconds()))
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(timespec="seconds"),
        moment.strftime("%-d %B %Y, %H:%M UTC"),
        _said(moment, seconds),
    )


def _said(moment: datetime, seconds: int) -> str:
    if seconds >= _MOST_DAYS * 86_400:
        return moment.strftime("%-d %b %Y")
    for unit, length in _STEPS:
        count = seconds // length
        if count:
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "just now"


@register.filter
def called(kind: str) -> str:
    """Return what people call an attachment of a kind."""
    return {"video": "video", "audio": "sound"}.get(kind, "picture")


@register.filter
def initial(name: str) -> str:
    return next((char for char in name if char.isalnum()), "?").upper()


@register.filter
def hue(name: str) -> int:
    """Return one of eight colours for a name, always the same."""
    return sum(name.encode()) % 8
