"""What makes the files under `data`; nothing here is imported when texts are judged.

build.py      every file, from a folder of corpora
corpora.py    the corpora, our own sentences, and what each label is worth
contrast.py   harmless sentences that use alarming words
disguises.py  texts as people write them to get past a filter
linear.py     the n-gram model
encoder.py    the sentence encoder (needs torch)
graph.py      the encoder as 8-bit ONNX (needs onnx)
blending.py   how far each judge is believed, and what a score means
measures.py   calibration and how well scores order texts
wordlists.py  the word lists
sentences/    sentences of our own, each beside a harmless twin
"""
