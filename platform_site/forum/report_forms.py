"""What people fill in to report a post, or to give notice of illegal content."""

from __future__ import annotations

from typing import Any, Final

from django import forms

from moderation.errors import InvalidFields, ModerationError, RateLimited
from moderation.pipeline.reports.notice import MOST_EMAIL_CHARS, MOST_NAME_CHARS, names_notifier
from moderation.pipeline.reports.report import MOST_EXPLANATION_CHARS
from moderation.vocabulary import Category

MOST_LOCATIONS_CHARS: Final = 8_000

# Completes the sentence "What is wrong with it?".
WHAT_IS_WRONG: Final = (
    (Category.HARASSMENT, "It insults, harasses or bullies somebody"),
    (Category.HATE, "It spreads hate against a group of people"),
    (Category.THREAT, "It threatens somebody"),
    (Category.VIOLENCE, "It calls for violence, or shows it"),
    (Category.SEXUAL, "It shows or describes sexual acts"),
    (Category.SEXUAL_MINORS, "It shows or describes children in a sexual way"),
    (Category.SELF_HARM, "Somebody may harm themselves"),
    (Category.PERSONAL_INFO, "It gives away somebody’s private details"),
    (Category.SPAM, "It is advertising, spam or a scam"),
    (Category.ILLICIT, "It offers drugs, weapons or other illegal goods"),
    (Category.EXTREMISM, "It supports terrorism or extremism"),
    (Category.OTHER, "Something else"),
)
# The same matters in the words of the law.
WHAT_IS_ILLEGAL: Final = (
    (Category.SEXUAL_MINORS, "Sexual abuse of children"),
    (Category.EXTREMISM, "Terrorist content"),
    (Category.HATE, "Incitement to hatred or violence against a group"),
    (Category.THREAT, "Threat against a person"),
    (Category.HARASSMENT, "Insult, defamation, stalking or harassment"),
    (Category.SEXUAL, "Intimate pictures without consent, or unlawful pornography"),
    (Category.PERSONAL_INFO, "Private data, or violation of privacy"),
    (Category.ILLICIT, "Unlawful goods or services, drugs, weapons"),
    (Category.SPAM, "Fraud or scam"),
    (Category.OTHER, "Something else, as a violation of copyright"),
)


def what_was_said(category: str, *, is_notice: bool) -> str:
    """Return a category in the words among which its reporter chose."""
    known = Category(category)
    words = dict(WHAT_IS_ILLEGAL if is_notice else WHAT_IS_WRONG)
    return words.get(known, str(known.label))


class _Refusing(forms.Form):
    def refuse(self, error: ModerationError) -> int:
        """Show why the pipeline refused, where it belongs; return the HTTP status to answer."""
        if isinstance(error, InvalidFields):
            for name, wrong in error.errors:
                self.add_error(name if name in self.fields else None, wrong)
            return 422
        if isinstance(error, RateLimited):
            minutes = max(1, round(error.retry_after_seconds / 60))
            plural = "" if minutes == 1 else "s"
            self.add_error(
                None, f"{error} Try again in {minutes} minute{plural}; your text is still here."
            )
            return 429
        self.add_error(None, str(error))
        return 422


class ReportForm(_Refusing):
    category = forms.ChoiceField(
        choices=WHAT_IS_WRONG,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose what is wrong with it."},
    )
    explanation = forms.CharField(
        required=False,
        max_length=MOST_EXPLANATION_CHARS,
        widget=forms.Textarea(attrs={"rows": 4, "dir": "auto"}),
    )


class NoticeForm(_Refusing):
    """The fields of Article 16 of the Digital Services Act."""

    locations = forms.CharField(
        max_length=MOST_LOCATIONS_CHARS,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        error_messages={"required": "Say where it is: the address of the post."},
    )
    category = forms.ChoiceField(
        choices=[("", "Choose"), *WHAT_IS_ILLEGAL],
        error_messages={"required": "Choose what kind of illegal content it is."},
    )
    explanation = forms.CharField(
        max_length=MOST_EXPLANATION_CHARS,
        widget=forms.Textarea(attrs={"rows": 6, "dir": "auto"}),
        error_messages={"required": "Say in a sentence or two why it is illegal."},
    )
    name = forms.CharField(
        required=False,
        max_length=MOST_NAME_CHARS,
        widget=forms.TextInput(attrs={"autocomplete": "name", "dir": "auto"}),
    )
    email = forms.EmailField(
        required=False,
        max_length=MOST_EMAIL_CHARS,
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        error_messages={"invalid": "This is not an e-mail address."},
    )
    good_faith = forms.BooleanField(
        error_messages={"required": "Confirm that what you say is accurate and complete."}
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        category = cleaned.get("category")
        if category and names_notifier(category):
            for name, asked in (
                ("name", "Say who you are; for this kind of content the law asks for it."),
                ("email", "Give an address at which you learn what is decided."),
            ):
                if not cleaned.get(name) and name not in self.errors:
                    self.add_error(name, asked)
        return cleaned
