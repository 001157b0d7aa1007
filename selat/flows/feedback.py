"""feedback: the person who asked says whether an answer helped; the book keeps it beside the answer's entries."""

from __future__ import annotations

from collections.abc import Callable

from selat.core.caller import Caller
from selat.core.errors import NotFound

Record = Callable[[str, dict[str, object], str], str]
"""Books a change: kind, facts, tenant; the receipt id."""


def feedback(found: dict[str, object] | None, caller: Caller, useful: bool, record: Record) -> str:
    """Book whether the answer of the receipt `found` helped; no word of it is kept. The entry's id.

    Raises: NotFound, also for another caller's answer.
    """
    entry = (found or {}).get("opened")
    leaf = entry.get("leaf") if isinstance(entry, dict) else None
    if not isinstance(leaf, dict) or leaf.get("caller") != caller.key:
        raise NotFound("no such answer of yours; its receipt is ready about a second after it ended")
    facts: dict[str, object] = {"receipt": leaf["id"], "useful": useful}
    return record("answer.feedback", facts, caller.tenant)
