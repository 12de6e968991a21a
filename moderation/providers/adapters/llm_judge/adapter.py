"""One question a text, to a model that may be talked into anything.

What it answers may only add to what others find. A text that speaks to its judge cannot be
cleared by it: of such a text only what the judge found counts, never what it did not find.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar

from moderation.errors import ProviderRejected
from moderation.providers.adapters.llm_judge.prompt import (
    REVISION,
    answer_schema,
    ask_about,
    guard_turn,
)
from moderation.providers.adapters.llm_judge.steering import speaks_to_its_judge
from moderation.providers.adapters.llm_judge.verdicts import read_guard, read_message, read_scores
from moderation.providers.base import Account, Answer, AnyPart, Facts, Setting, TextPart
from moderation.providers.shared.openai_errors import raise_for_error
from moderation.providers.shared.service import (
    ServiceAdapter,
    kept,
    not_judged,
    read_json,
)
from moderation.vocabulary import Category, Outcome, Part

MAX_CHARS = 16_000
# As the model card of Llama Guard 3 lists them.
GUARD_LANGUAGES = frozenset({"en", "fr", "de", "hi", "it", "pt", "es", "th"})
# A score below this says that a category was not found.
FOUND_FROM = 0.5
# Nineteen scores and a receipt are about 250 tokens; all codes of Llama Guard about 50.
_POLICY_TOKENS, _GUARD_TOKENS = 600, 64


class LlmJudgeAdapter(ServiceAdapter):
    facts: ClassVar[Facts] = Facts(
        label="LLM judge",
        parts=frozenset({Part.TEXT}),
        doc="llm_judge",
        settings=(
            Setting("base_url", "Address", default="https://api.openai.com/v1", required=True),
            Setting("key", "API key", is_secret=True, env="LLM_JUDGE_API_KEY"),
            Setting("model", "Model", required=True),
            Setting(
                "format",
                "How it is asked",
                help="With our own prompt and your guidelines, or as Llama Guard expects it.",
                default="policy",
                choices=("policy", "llama_guard"),
            ),
            Setting(
                "policy_text",
                "Guidelines",
                help="What your community allows and what not, in plain words. Not for secrets.",
                is_long=True,
            ),
            Setting(
                "response_format",
                "Answers are held to",
                help="Choose what the service supports.",
                default="json_schema",
                choices=("json_schema", "json_object", "nothing"),
            ),
            Setting(
                "may_clear",
                "May find a post clean",
                help="With no, what it finds counts and what it does not find is not judged. With"
                " yes, whoever talks the model into finding nothing is published where no other"
                " provider judges the same texts.",
                default="no",
                choices=("no", "yes"),
            ),
            Setting("price_in", "US dollars per million tokens read", default="0"),
            Setting("price_out", "US dollars per million tokens written", default="0"),
        ),
        price="By tokens, as the service says; about 900 tokens read and 250 written a text.",
        max_chars=MAX_CHARS,
        # Servers of one's own have no rate limit: overload shows as slow answers.
        concurrency=4,
        timeout_seconds=30.0,
    )

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self.is_guard = self.option("format") == "llama_guard"
        self._prices = (_number(self.option("price_in")), _number(self.option("price_out")))

    @property
    def model_version(self) -> str:
        asked = [self.option(name) for name in ("format", "may_clear", "policy_text")]
        digest = hashlib.sha256("\n".join(asked).encode()).hexdigest()[:8]
        return f"{self.option('model')}+{REVISION}.{digest}"

    def judge_one(self, part: AnyPart) -> Answer:
        if not isinstance(part, TextPart):
            raise ProviderRejected(f"{self.name} judges texts only.")
        if len(part.text) > MAX_CHARS:
            raise ProviderRejected(f"The text is longer than {MAX_CHARS} characters.")
        if self.is_guard and part.language and part.language not in GUARD_LANGUAGES:
            return not_judged("language")
        scores, reply = self._by_guard(part.text) if self.is_guard else self._by_policy(part.text)
        raw, cost_micros = kept(reply), self._cost(reply)
        if reason := self._distrusts(part.text):
            scores = {name: value for name, value in scores.items() if value >= FOUND_FROM}
            if not scores:
                return Answer(Outcome.NOT_JUDGED, error=reason, raw=raw, cost_micros=cost_micros)
        return Answer(Outcome.JUDGED, scores=scores, raw=raw, cost_micros=cost_micros)

    def _distrusts(self, text: str) -> str:
        """Return why what the judge does not find says nothing, "" where it says something."""
        if self.option("may_clear") != "yes":
            return "may_not_clear"
        return "speaks_to_its_judge" if speaks_to_its_judge(text) else ""

    def _by_policy(self, text: str) -> tuple[dict[Category, float], dict[str, Any]]:
        question = ask_about(text, policy=self.option("policy_text"))
        reply = self._ask(question.messages, max_tokens=_POLICY_TOKENS, **self._response_format())
        content, _ = read_message(reply)
        return read_scores(content, receipt=question.receipt), reply

    def _by_guard(self, text: str) -> tuple[dict[Category, float], dict[str, Any]]:
        reply = self._ask(guard_turn(text), max_tokens=_GUARD_TOKENS, logprobs=True, top_logprobs=5)
        content, choice = read_message(reply)
        return read_guard(content, choice), reply

    def _ask(self, messages: list[dict[str, str]], **more: object) -> dict[str, Any]:
        key = self.secret("key")
        reply = self.send(
            "POST",
            f"{self.option('base_url').rstrip('/')}/chat/completions",
            headers={"Authorization": f"Bearer {key}"} if key else {},
            json={"model": self.option("model"), "messages": messages, "temperature": 0, **more},
        )
        raise_for_error(reply)
        return read_json(reply)

    def _response_format(self) -> Mapping[str, object]:
        match self.option("response_format"):
            case "nothing":
                return {}
            case "json_object":
                return {"response_format": {"type": "json_object"}}
            case _:
                schema = {"name": "judgement", "strict": True, "schema": answer_schema()}
                return {"response_format": {"type": "json_schema", "json_schema": schema}}

    def _cost(self, reply: Mapping[str, Any]) -> int:
        """Return millionths of a dollar: dollars per million tokens, times tokens."""
        usage = reply.get("usage")
        if not isinstance(usage, dict):
            return 0
        tokens = (usage.get("prompt_tokens"), usage.get("completion_tokens"))
        return round(
            sum(
                price * count
                for price, count in zip(self._prices, tokens, strict=True)
                if isinstance(count, int) and count >= 0
            )
        )


def _number(text: str) -> float:
    try:
        return max(0.0, float(text))
    except ValueError:
        return 0.0
