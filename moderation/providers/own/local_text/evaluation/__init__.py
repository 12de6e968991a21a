"""How well the text provider does, on texts that nothing was learned from.

sets.py      the texts: those kept here (*.jsonl), and the dev split of a folder of corpora
answers.py   what the provider and the built-in policy say of them
metrics.py   how well scores order texts, what they promise, and how sure that is
report.py    all figures of one set
versus.py    two versions of the model on the same texts
floors.py    what must not get worse: floors.json
plots.py     reliability diagrams (needs matplotlib)
"""
