"""What turns texts into vectors, ranks passages, and judges claims: seams without a model in them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from selat.core.label import Label

Values = Any
"""One vector: a NumPy array, or any sequence of floats."""


class Embedder(Protocol):
    """Turns texts into vectors. Two embedders of one `digest` give the same vectors."""

    @property
    def digest(self) -> str:
        """Which model this is: hex, of everything that decides its vectors."""

    def passages(self, texts: Sequence[str], tenant: str, label: Label) -> Sequence[Values] | None:
        """A vector each, or None where these texts may not go to the model: full text finds them all the same."""

    def query(self, text: str, tenant: str) -> Values | None:
        """The vector of a question, or None where it may not go to the model."""

    def close(self) -> None:
        """Let go of whatever is held."""


class Reranker(Protocol):
    """Says how well each text answers a question: higher is better, comparable within one call."""

    def scores(self, question: str, texts: Sequence[str], label: Label, tenant: str) -> Sequence[float] | None:
        """A score each, or None where none came in time or these texts, of `label` together, may not go to it."""

    def close(self) -> None:
        """Let go of whatever is held."""


class Entailer(Protocol):
    """Says how surely a text entails a claim: a chance from 0 to 1 each, for pairs of text and claim."""

    def chances(self, pairs: Sequence[tuple[str, str]]) -> Sequence[float]: ...


def onnx_embedder(folder: Path) -> Embedder:
    """The embedder of a model folder. Raises: HomeBroken, saying what is missing."""
    # Brings ONNX Runtime and NumPy: a process that never searches does not pay for it.
    from selat.knowledge.onnx import OnnxEmbedder

    return OnnxEmbedder(folder)


def onnx_reranker(folder: Path) -> Reranker:
    """The cross-encoder of a model folder. Raises: HomeBroken, saying what is missing."""
    from selat.knowledge.onnx import OnnxReranker

    return OnnxReranker(folder)


def onnx_entailer(folder: Path) -> Entailer:
    """The cross-encoder of a model folder that was trained on entailment. Raises: HomeBroken, as above, and where
    its `config.json` names no label of entailment.
    """
    from selat.knowledge.onnx import OnnxEntailer

    return OnnxEntailer(folder)
