"""Write the tuned encoder as an ONNX graph of 8-bit weights. Needs onnx.

One text goes in at a time: quantised sums depend on what else is in a batch, and a post's score
must not depend on its neighbours.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from moderation.providers.own.local_text.ngram import FloatArray
from moderation.providers.own.local_text.training.encoder import HEADS, LAYERS, SHARED, Tuned

_MICROSOFT = "com.microsoft"
_EPSILON = 1e-12
# Processors without VNNI add two products in 16 bits: with 8-bit weights those could overflow.
_TOP = 63
_EMBEDDING_TOP = 127


class _Graph:
    """Nodes and constants as they are added."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, array: npt.NDArray[np.generic]) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def add(
        self, kind: str, inputs: Sequence[str], name: str, *, outputs: int = 1, **options: object
    ) -> str:
        domain = _MICROSOFT if kind in _OWN_OF_MICROSOFT else ""
        made = [name] if outputs == 1 else [f"{name}.{at}" for at in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), made, domain=domain, **options))
        return name

    def linear(self, hidden: str, name: str, weight: FloatArray, bias: FloatArray) -> str:
        """Add a product with 8-bit weights, a scale for each of its outputs."""
        packed, scale = _packed(weight, axis=1, top=_TOP)
        self.constant(f"{name}.w", packed.T)
        self.constant(f"{name}.s", scale)
        self.constant(f"{name}.b", bias)
        inputs = [hidden, f"{name}.w", f"{name}.s", "", f"{name}.b"]
        return self.add("DynamicQuantizeMatMul", inputs, name)


_OWN_OF_MICROSOFT = frozenset({"DynamicQuantizeMatMul", "MultiHeadAttention", "Gelu"})


def _packed(array: FloatArray, *, axis: int, top: int) -> tuple[npt.NDArray[np.int8], FloatArray]:
    scale = np.maximum(np.abs(array).max(axis=axis), 1e-9).astype(np.float32) / top
    steps = np.round(array / np.expand_dims(scale, axis))
    return np.clip(steps, -top, top).astype(np.int8), np.asarray(scale, dtype=np.float32)


def _embed(graph: _Graph, arrays: dict[str, FloatArray]) -> str:
    packed, scale = _packed(arrays["embed.pieces"], axis=1, top=_EMBEDDING_TOP)
    graph.constant("pieces", packed)
    graph.constant("piece_scales", scale[:, None])
    graph.constant("places", arrays["embed.places"])
    graph.constant("zero", np.array([0], np.int64))
    graph.constant("one", np.array([1], np.int64))
    graph.add("Gather", ["pieces", "numbers"], "picked")
    graph.add("Cast", ["picked"], "picked_float", to=TensorProto.FLOAT)
    graph.add("Gather", ["piece_scales", "numbers"], "picked_scales")
    graph.add("Mul", ["picked_float", "picked_scales"], "words")
    graph.add("Shape", ["numbers"], "shape", start=1, end=2)
    graph.add("Slice", ["places", "zero", "shape"], "here")
    graph.add("Add", ["words", "here"], "embedded")
    graph.constant("embed.norm_w", arrays["embed.norm_w"])
    graph.constant("embed.norm_b", arrays["embed.norm_b"])
    return graph.add(
        "LayerNormalization",
        ["embedded", "embed.norm_w", "embed.norm_b"],
        "hidden",
        epsilon=_EPSILON,
    )


def _layer(graph: _Graph, hidden: str, name: str, arrays: dict[str, FloatArray]) -> str:
    def part(short: str) -> tuple[FloatArray, FloatArray]:
        return arrays[f"{name}.{short}_w"], arrays[f"{name}.{short}_b"]

    def normed(made: str, short: str) -> str:
        weight, bias = part(short)
        graph.constant(f"{name}.{short}.w", weight)
        graph.constant(f"{name}.{short}.b", bias)
        # Apart these two take a fifth of the time that they take as one fused operator.
        both = graph.add("Add", [made, hidden], f"{name}.{short}.sum")
        inputs = [both, f"{name}.{short}.w", f"{name}.{short}.b"]
        return graph.add("LayerNormalization", inputs, f"{name}.{short}", epsilon=_EPSILON)

    mixed = graph.linear(hidden, f"{name}.qkv", *part("qkv"))
    parts = graph.add("Split", [mixed], f"{name}.split", outputs=3, axis=2, num_outputs=3)
    seen = graph.add(
        "MultiHeadAttention", [f"{parts}.{at}" for at in range(3)], f"{name}.seen", num_heads=HEADS
    )
    hidden = normed(graph.linear(seen, f"{name}.out", *part("out")), "norm")
    wide = graph.add("Gelu", [graph.linear(hidden, f"{name}.up", *part("up"))], f"{name}.gelu")
    return normed(graph.linear(wide, f"{name}.down", *part("down")), "last")


def _branch(graph: _Graph, hidden: str, name: str, arrays: dict[str, FloatArray]) -> str:
    for number in range(LAYERS - SHARED):
        hidden = _layer(graph, hidden, f"{name}.{number}", arrays)
    pooled = graph.add("ReduceMean", [hidden, "one"], f"{name}.pooled", keepdims=0)
    graph.constant(f"{name}.head.w", arrays[f"{name}.head_w"])
    graph.constant(f"{name}.head.b", arrays[f"{name}.head_b"])
    inputs = [pooled, f"{name}.head.w", f"{name}.head.b"]
    return graph.add("Gemm", inputs, f"{name}.logits", transB=1)


def as_onnx(tuned: Tuned) -> onnx.ModelProto:
    """Return a graph from `numbers` (1, pieces) to `logits`: a row of each copy's, tuned first."""
    graph = _Graph()
    hidden = _embed(graph, tuned.arrays)
    for number in range(SHARED):
        hidden = _layer(graph, hidden, f"shared.{number}", tuned.arrays)
    branches = [_branch(graph, hidden, name, tuned.arrays) for name in ("tuned", "kept")]
    graph.add("Concat", branches, "logits", axis=0)
    categories = len(tuned.arrays["tuned.head_b"])
    made = helper.make_graph(
        graph.nodes,
        "encoder",
        [helper.make_tensor_value_info("numbers", TensorProto.INT64, [1, "pieces"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [2, categories])],
        graph.constants,
    )
    versions = [helper.make_opsetid("", 18), helper.make_opsetid(_MICROSOFT, 1)]
    model = helper.make_model(made, opset_imports=versions, producer_name="gatehouse")
    model.ir_version = 9
    return model


def write_encoder(tuned: Tuned, model: Path, words: Path) -> None:
    """Write the graph and the vocabulary, the same bytes for the same arrays."""
    model.write_bytes(as_onnx(tuned).SerializeToString(deterministic=True))
    with gzip.GzipFile(words, "wb", mtime=0) as out:
        out.write("\n".join(tuned.vocabulary).encode())
