"""What people write when they object."""

from __future__ import annotations

from django import forms

from moderation.errors import ModerationError, RateLimited
from moderation.pipeline.appeals.appeal import MAX_WORDS_CHARS


class AppealForm(forms.Form):
    words = forms.CharField(
        label="Why do you object?",
        max_length=MAX_WORDS_CHARS,
        error_messages={"required": "Say in your own words why you object."},
        widget=forms.Textarea(attrs={"rows": 6, "dir": "auto"}),
    )

    def refuse(self, error: ModerationError) -> int:
        """Show why the pipeline refused; return the HTTP status to answer."""
        if isinstance(error, RateLimited):
            minutes = max(1, round(error.retry_after_seconds / 60))
            plural = "" if minutes == 1 else "s"
            said = f"{error} Try again in {minutes} minute{plural}; your text is still here."
            self.add_error(None, said)
            return 429
        self.add_error(None, str(error))
        return 422


class ReplyForm(AppealForm):
    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        words = self.fields["words"]
        words.label = "Add something"
        words.error_messages["required"] = "Write something, or leave it as it is."
        words.widget.attrs["rows"] = 4
