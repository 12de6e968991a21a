"""What makes the files under `data`; nothing here is imported when texts are judged.

build.py      every file, from a folder of corpora
corpora.py    the corpora, our own sentences, and what each label is worth
contrast.py   harmless sentences that use alarming words
disguises.py  texts as people write them to get past a filter
linear.py     the n-gram model
measures.py   calibration and how well scores order texts
wordlists.py  the word lists
sentences/    sentences of our own, each beside a harmless twin
"""
