"""Make every file that the provider loads from a folder of corpora."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

from moderation.providers.own.local_text.encoder import ENCODER_FILE, PIECES_FILE, Encoder
from moderation.providers.own.local_text.judges import write_blend
from moderation.providers.own.local_text.lexicon import Lexicon
from moderation.providers.own.local_text.ngram import FloatArray
from moderation.providers.own.local_text.provider import (
    ENGLISH_WORDS_FILE,
    LEXICON_FILE,
    MODEL_FILE,
)
from moderation.providers.own.local_text.training.blending import encode_all, fit_blend
from moderation.providers.own.local_text.training.corpora import (
    CATEGORIES,
    SENTENCES,
    UNKNOWN,
    Corpus,
    english_words,
    read_corpora,
)
from moderation.providers.own.local_text.training.linear import (
    Say,
    TrainingSettings,
    score_all,
    train_linear,
)
from moderation.providers.own.local_text.training.measures import BoolArray, auprc, auroc
from moderation.providers.own.local_text.training.wordlists import compile_lexicon, write_lexicon

Report = dict[str, dict[str, float]]


def train_files(
    data_dir: Path,
    folder: Path,
    *,
    settings: TrainingSettings,
    say: Say,
    sentences: Path = SENTENCES,
    with_encoder: bool = False,
) -> Report:
    """Write every file the provider loads into `folder`; return how the models do on dev.

    The same data and settings give the same bytes on the same machine. With the encoder it needs
    torch and onnx (requirements-training.txt); raises `ImportError` without.
    """
    tune = _find_tuner() if with_encoder else None
    folder.mkdir(parents=True, exist_ok=True)
    write_lexicon(compile_lexicon(data_dir / "lexicons"), folder / LEXICON_FILE)
    train, dev = read_with_lists(data_dir, folder, seed=settings.seed, sentences=sentences)
    say(f"read {len(train)} texts to train with and {len(dev)} to check with")
    model = train_linear(train, dev, settings, say)
    model.save(folder / MODEL_FILE)
    _write_words(english_words(train), folder / ENGLISH_WORDS_FILE)
    scores = score_all(model, dev.texts)
    if tune is None:
        write_blend(None, folder)
        return evaluate(scores, dev)
    tune(train, folder, settings.seed, say)
    encoded = encode_all(Encoder.load(folder), dev.texts, say)
    blend = fit_blend(dev, scores, encoded)
    write_blend(blend, folder)
    say(f"the encoder is asked from a score of {blend.ask_from:.4f} on")
    return evaluate(blend.scores(scores, encoded), dev)


def _find_tuner() -> Callable[[Corpus, Path, int, Say], None]:
    # Imported late: nothing else here needs torch.
    from moderation.providers.own.local_text.training.encoder import EncoderSettings, tune
    from moderation.providers.own.local_text.training.graph import write_encoder

    def write(train: Corpus, folder: Path, seed: int, say: Say) -> None:
        tuned = tune(train, EncoderSettings(seed=seed), say)
        write_encoder(tuned, folder / ENCODER_FILE, folder / PIECES_FILE)

    return write


def read_with_lists(
    data_dir: Path, folder: Path, *, seed: int, sentences: Path = SENTENCES
) -> tuple[Corpus, Corpus]:
    """Return (train, dev), disguised words put back by the lists that lie in `folder`."""
    lexicon = Lexicon.load(folder / LEXICON_FILE)
    return read_corpora(data_dir, lexicon, sentences=sentences, seed=seed)


def _evaluate_category(scores: FloatArray, positive: BoolArray) -> dict[str, float]:
    return {
        "auroc": round(auroc(scores, positive), 4),
        "auprc": round(auprc(scores, positive), 4),
        "texts": len(positive),
        "positives": int(positive.sum()),
        "recall_at_0.5": round(float((scores[positive] >= 0.5).mean()), 4),
        "false_alarms_at_0.5": round(float((scores[~positive] >= 0.5).mean()), 4),
    }


def evaluate(scores: FloatArray, dev: Corpus) -> Report:
    """Return per category how scores (texts, categories) order and sort the texts.

    Categories without both kinds of texts are absent.
    """
    report: Report = {}
    for column, category in enumerate(CATEGORIES):
        known = dev.labels[:, column] != UNKNOWN
        positive = dev.labels[known, column] == 1
        if positive.any() and not positive.all():
            report[category.value] = _evaluate_category(scores[known, column], positive)
    clean = ((dev.labels == 1).sum(axis=1) == 0) & (dev.labels[:, 0] == 0)
    worst = scores[clean].max(axis=1)
    report["clean texts"] = {
        "texts": int(clean.sum()),
        **{
            f"false_alarms_at_{bar}": round(float((worst >= bar).mean()), 4)
            for bar in (0.5, 0.7, 0.85)
        },
    }
    return report


def _write_words(words: list[str], path: Path) -> None:
    with gzip.GzipFile(path, "wb", mtime=0) as out:
        out.write("\n".join(words).encode())
