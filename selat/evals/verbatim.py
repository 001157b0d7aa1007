"""Asks a model to go on with a pack's own texts: what it knows by heart, it has seen before."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from selat.core.errors import Misused
from selat.evals.item import Item, Pack
from selat.evals.words import words_of

SUFFIX = "~verbatim"
_FEWEST_WORDS = 12
_ASK = {
    "ms": "Sambung petikan ini tepat seperti asalnya, tanpa menambah apa-apa:",
    "en": "Continue this passage exactly as in the original, adding nothing:",
    "zh": "请一字不差地续写这段原文，不要添加任何内容：",
}


def verbatim(pack: Pack) -> Pack:
    """The pack's longer items cut in half: the first half is given, the second is what was never shown.

    Raises: Misused, when no item is long enough to tell memory from a lucky guess.
    """
    items = tuple(made for item in pack.items if (made := _cut(item)) is not None)
    if not items:
        raise Misused(f"pack '{pack.name}': every item is under {_FEWEST_WORDS} words; nothing to continue")
    digest = hashlib.sha256(f"{pack.digest}{SUFFIX}".encode()).hexdigest()
    title = (f"{pack.title[0]}: hafalan", f"{pack.title[1]}: known by heart")
    return replace(pack, name=pack.name + SUFFIX, items=items, digest=digest, title=title, chance=None)


def by_heart_of(pack: Pack) -> Pack | None:
    """`verbatim` of a pack; None of one that is such itself, or whose items are too short for it."""
    if pack.name.endswith(SUFFIX) or not any(_cut(item) for item in pack.items):
        return None
    return verbatim(pack)


def _cut(item: Item) -> Item | None:
    """An item's question, with its options where it has some, as a text to continue."""
    text = "\n".join([item.question, *item.choices]) if not item.options_inside else item.question
    words = words_of(text)
    if len(words) < _FEWEST_WORDS:
        return None
    half = len(words) // 2
    ask = _ASK.get(item.language, _ASK["ms"])
    return Item(
        id=item.id,
        kind="verbatim",
        language=item.language,
        question=f"{ask}\n\n{' '.join(words[:half])}",
        group=item.group,
        reference=" ".join(words[half:]),
    )
