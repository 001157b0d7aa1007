"""Sentences in a document that give orders to whoever reads it for a machine: marked, and never quoted.

This names the plain forms in four languages; it is a mark for people, not a wall. The walls stand elsewhere:
sources are fenced in the prompt, every claim is checked, and what a caller may see was decided before.
"""

from __future__ import annotations

import re

from selat.knowledge.words import normalise

_ORDERS = re.compile(
    r"""
    \b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instructions?|prompts?|rules?|guidelines?)\b
    | \b(?:abaikan|lupakan|jangan\ ikut|ketepikan)\b.{0,40}\b(?:arahan|peraturan|perintah|sistem)\b
    | \byou\ are\ now\b.{0,40}\b(?:assistant|model|ai|developer|admin\w*|mode)\b
    | \banda\ (?:kini|sekarang)\ (?:ialah|adalah)\b.{0,40}\b(?:pembantu|model|ai|pentadbir)\b
    | \b(?:reveal|print|repeat|show)\b.{0,40}\b(?:system\ prompt|api\ keys?)\b
    | \b(?:dedahkan|cetak|tunjukkan)\b.{0,40}\b(?:prompt\ sistem|kunci\ api)\b
    | \b(?:new|real|arahan)\ (?:system\ )?(?:instructions?|baharu|baru)\s*:
    | (?:忽略|无视|忘记).{0,12}(?:指令|指示|规则|提示)
    | (?:வழிமுறைகளை|அறிவுறுத்தல்களை|கட்டளைகளை).{0,16}(?:புறக்கணி|மற)
    """,
    re.VERBOSE,
)


def gives_orders(text: str) -> bool:
    """Whether a text speaks to a model instead of to its readers."""
    return _ORDERS.search(" ".join(normalise(text).split())) is not None
