"""Presidio as a further detector: its recognisers for the rest of the world beside ours for Malaysia.

Extra `presidio`. `presidio=en_core_web_lg` in the setting takes that spaCy pipeline, which must be installed, and with it
Presidio's names of persons; else a blank one is used: patterns and checksums, no statistical model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, Protocol

from selat.core.finding import Finding

LANGUAGE = "en"
KIND_OF: Mapping[str, str] = MappingProxyType(
    {
        "PERSON": "NAME",
        "PHONE_NUMBER": "PHONE",
        "EMAIL_ADDRESS": "EMAIL",
        "CREDIT_CARD": "CARD",
        "IBAN_CODE": "BANK_ACCOUNT",
        "US_BANK_NUMBER": "BANK_ACCOUNT",
        "US_PASSPORT": "PASSPORT",
        "UK_PASSPORT": "PASSPORT",
        "IN_PASSPORT": "PASSPORT",
        "IT_PASSPORT": "PASSPORT",
        "CRYPTO": "SECRET",
    }
)
"""Presidio's entities by our kinds. LOCATION and DATE_TIME stay out: a town or a date alone is nobody's."""
AT_LEAST = 0.4
"""Lower scores are Presidio's guesses without context, such as any nine digits as a bank number."""


class Analyzer(Protocol):
    """`presidio_analyzer.AnalyzerEngine`, as far as it is used."""

    def analyze(self, text: str, language: str, entities: list[str]) -> Iterable[Any]: ...


class Presidio:
    """A `selat.guard.Detector`. Whatever Presidio raises is a failed scan, and policy then denies."""

    name = "presidio"

    def __init__(self, analyzer: Analyzer, at_least: float = AT_LEAST) -> None:
        self._analyzer, self._at_least = analyzer, at_least

    def find(self, text: str) -> list[Finding]:
        results = self._analyzer.analyze(text=text, language=LANGUAGE, entities=list(KIND_OF))
        return [
            Finding(result.start, result.end, KIND_OF[result.entity_type], min(max(result.score, 0.01), 1.0))
            for result in results
            if result.score >= self._at_least and result.start < result.end
        ]


def load(pipeline: str = "") -> Presidio:
    """What the entry point `presidio` gives. Raises: ImportError, where the extra is not installed."""
    presidio, engines, spacy = (
        import_module(module) for module in ("presidio_analyzer", "presidio_analyzer.nlp_engine", "spacy")
    )
    engine = engines.SpacyNlpEngine()
    # Set rather than loaded: Presidio would otherwise fetch a model over the network.
    engine.nlp = {LANGUAGE: spacy.load(pipeline) if pipeline else spacy.blank(LANGUAGE)}
    registry = presidio.RecognizerRegistry()
    registry.load_predefined_recognizers(languages=[LANGUAGE], nlp_engine=engine)
    # Its e-mail recogniser fetches a list of domains by network at first use; ours needs none.
    registry.remove_recognizer("EmailRecognizer")
    return Presidio(presidio.AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=[LANGUAGE]))
