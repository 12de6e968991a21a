"""What people type: a topic, a reply, a change. Rules about content are the pipeline's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.forms.boundfield import BoundField
from django.http import QueryDict

from moderation.errors import (
    AuthorBarred,
    BlockedWords,
    IdempotencyRunning,
    MediaRefused,
    ModerationError,
    RateLimited,
    StaleRevision,
)
from moderation.models import MediaItem, Post
from moderation.pipeline.media import NewMedia

PICTURES = 4
# Bounds what a request may hold in memory; the pipeline knows the limit and names it.
MOST_BYTES_READ = 32 * 1024 * 1024
# Endings beside types: not every browser knows what a telephone calls its videos.
ACCEPTED = (
    "image/jpeg,image/png,image/webp,image/gif,video/mp4,video/quicktime,video/webm,audio/mpeg,"
    "audio/mp4,audio/aac,audio/ogg,audio/webm,audio/wav,audio/flac,.m4a,.mov,.opus,.flac"
)


class PostForm(forms.Form):
    """A text with up to four files, which pages call pictures whatever they are.

    `token` makes pressing "Post" twice post once.
    """

    body = forms.CharField(
        label="Text",
        required=False,
        max_length=40_000,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 8, "dir": "auto"}),
    )
    token = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for number in range(PICTURES):
            self.fields[f"picture_{number}"] = forms.FileField(
                label=f"File {number + 1}",
                required=False,
                allow_empty_file=True,  # the pipeline says what is wrong with it
                widget=forms.FileInput(attrs={"accept": ACCEPTED}),
            )
            self.fields[f"description_{number}"] = forms.CharField(
                label="Description for those who cannot see it",
                required=False,
                max_length=500,
                widget=forms.TextInput(attrs={"dir": "auto"}),
            )
        self.picture_errors: list[str] = []

    def picture_rows(self) -> Iterator[tuple[BoundField, BoundField]]:
        for number in range(PICTURES):
            yield self[f"picture_{number}"], self[f"description_{number}"]

    def pictures(self) -> tuple[NewMedia, ...]:
        """Return the chosen pictures. Their bytes are read here, once."""
        found = []
        for number in range(PICTURES):
            upload = self.cleaned_data.get(f"picture_{number}")
            if upload:
                found.append(_new_media(upload, self.cleaned_data[f"description_{number}"]))
        return tuple(found)

    def refuse(self, error: ModerationError) -> int:
        """Show why the pipeline refused, where it belongs; return the HTTP status to answer."""
        if isinstance(error, MediaRefused):
            self.picture_errors.append(str(error))
            return 422
        if isinstance(error, AuthorBarred):
            self.add_error(None, f"{error} Your text is still here.")
            return 403
        if isinstance(error, RateLimited):
            seconds = max(1, round(error.retry_after_seconds))
            plural = "" if seconds == 1 else "s"
            self.add_error(
                None,
                f"You are posting very fast. Wait {seconds} second{plural} and post again; "
                "your text is still here.",
            )
            return 429
        if isinstance(error, IdempotencyRunning):
            self.add_error(None, "This is being posted already. Look at My posts in a moment.")
            return 409
        if isinstance(error, StaleRevision):
            self.add_error(
                None,
                "This post was changed in the meantime. Below is your text; what it says now "
                "stands under it. Save again to replace it.",
            )
            return 409
        self.add_error("body" if isinstance(error, BlockedWords) else None, str(error))
        return 422


class TopicForm(PostForm):
    title = forms.CharField(
        max_length=300, widget=forms.TextInput(attrs={"dir": "auto", "autofocus": True})
    )
    field_order = ["title", "body"]


class ReplyForm(PostForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["body"].label = "Your reply"
        self.fields["body"].widget.attrs["rows"] = 4


class EditForm(PostForm):
    """A change of a post: `base_revision` is the one that its author has read."""

    title = forms.CharField(
        required=False, max_length=300, widget=forms.TextInput(attrs={"dir": "auto"})
    )
    base_revision = forms.IntegerField(widget=forms.HiddenInput)
    removed = forms.MultipleChoiceField(required=False, choices=())
    field_order = ["title", "body"]

    def __init__(self, *args: Any, post: Post, kept: list[MediaItem], **kwargs: Any) -> None:
        initial = {"title": post.title, "body": post.body, "base_revision": post.revision}
        super().__init__(*args, initial=initial, **kwargs)
        self.kept = kept
        self.fields["removed"] = forms.MultipleChoiceField(
            required=False, choices=[(str(item.pk), str(item.pk)) for item in kept]
        )
        if post.parent_id:
            del self.fields["title"]

    def kept_ids(self) -> list[UUID]:
        removed = set(self.cleaned_data["removed"])
        return [item.pk for item in self.kept if str(item.pk) not in removed]

    def rebase(self, post: Post) -> None:
        """Let the next attempt replace what the post says now."""
        assert isinstance(self.data, QueryDict)
        data = self.data.copy()
        data["base_revision"] = str(post.revision)
        self.data = data


def _new_media(upload: UploadedFile[bytes], description: str) -> NewMedia:
    return NewMedia(data=upload.read(MOST_BYTES_READ), alt_text=description)
