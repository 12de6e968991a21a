"""The local text provider.

provider.py   batch in, answers out; puts the parts together
ngram.py      the model that reads every text: hashed n-grams, numpy only
encoder.py    the model that reads what may not be clean: a sentence encoder, 8-bit ONNX
wordpiece.py  texts as the encoder reads them; emoji.py puts pictures into words
judges.py     how the two are put together
lexicon.py    word lists of 26 languages
patterns.py   phrases that say what they mean
languages.py  which language a text is in
training/     makes the files under data/; not needed to judge
"""

from moderation.providers.own.local_text.provider import LocalTextProvider

__all__ = ["LocalTextProvider"]
