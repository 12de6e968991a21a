"""The local text provider.

provider.py   batch in, answers out; puts the parts together
ngram.py      the trained model: hashed n-grams, numpy only
lexicon.py    word lists of 26 languages
patterns.py   phrases that say what they mean
languages.py  which language a text is in
training/     makes the files under data/; not needed to judge
"""

from moderation.providers.own.local_text.provider import LocalTextProvider

__all__ = ["LocalTextProvider"]
