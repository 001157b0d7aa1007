"""Local evals: packs of items, forms that put them, scorers that are pure, and statistics that do not flatter."""

from selat.evals.compare import NOT_ENOUGH, Comparison, compare
from selat.evals.item import (
    FIRST_CHARACTER,
    FIRST_TOKEN,
    FULL_ANSWER,
    GENERATION,
    SCORINGS,
    Item,
    Pack,
    Reply,
    Sample,
    Score,
    Scored,
    ToolUse,
)
from selat.evals.load import find_pack, read_pack, shipped
from selat.evals.score import score
from selat.evals.stats import Estimate, estimate
from selat.evals.template import samples, template_digest, templates

__all__ = [
    "FIRST_CHARACTER",
    "FIRST_TOKEN",
    "FULL_ANSWER",
    "GENERATION",
    "NOT_ENOUGH",
    "SCORINGS",
    "Comparison",
    "Estimate",
    "Item",
    "Pack",
    "Reply",
    "Sample",
    "Score",
    "Scored",
    "ToolUse",
    "compare",
    "estimate",
    "find_pack",
    "read_pack",
    "samples",
    "score",
    "shipped",
    "template_digest",
    "templates",
]
