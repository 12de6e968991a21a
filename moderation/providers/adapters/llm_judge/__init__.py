"""A language model as judge, over any chat endpoint that speaks as OpenAI's does.

adapter.py    asks one question a text
prompt.py     the question: content as data, in a frame that the content cannot know
verdicts.py   what counts as an answer; anything else is none
steering.py   whether a text speaks to its judge
"""

from moderation.providers.adapters.llm_judge.adapter import LlmJudgeAdapter

__all__ = ["LlmJudgeAdapter"]
