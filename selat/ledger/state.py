"""The sequencer's memory: how far the journals are integrated, and the step under way, written before it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from selat.core.errors import LedgerBroken
from selat.core.tree import Hash
from selat.ledger import files
from selat.ledger.frame import Cursor
from selat.ledger.intake import Cursors

NAME = "state.json"


@dataclass(frozen=True, slots=True)
class Mark:
    """A tree size with its root, and the place in each journal whose records make it up."""

    size: int
    root: Hash
    cursors: Cursors

    def to_json(self) -> dict[str, object]:
        places = {name: list(cursor) for name, cursor in sorted(self.cursors.items())}
        return {"size": self.size, "root": self.root.hex(), "journals": places}


@dataclass(frozen=True, slots=True)
class State:
    """`base` is integrated and signed; `plan`, once written, is what the next checkpoint will say."""

    base: Mark
    plan: Mark | None


def load_state(folder: Path) -> State | None:
    """The state kept in the ledger's folder; None where there is none. Raises: LedgerBroken."""
    path = folder / NAME
    try:
        return state_from(json.loads(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LedgerBroken(f"{path} is damaged; rebuild it from the log: selat ledger repair") from error


def save_state(folder: Path, state: State) -> None:
    """Make the state durable. Raises: OSError."""
    files.replace_durably(folder / NAME, json.dumps(state_json(state)).encode(), "plan")


def state_json(state: State) -> dict[str, object]:
    return {"base": state.base.to_json(), "plan": state.plan.to_json() if state.plan else None}


def state_from(fields: dict[str, dict[str, object]]) -> State:
    """The State of what `state_json` gave. Raises: KeyError, TypeError, ValueError."""
    return State(_mark(fields["base"]), _mark(fields["plan"]) if fields["plan"] else None)


def _mark(fields: dict[str, object]) -> Mark:
    size, root, places = fields["size"], fields["root"], fields["journals"]
    if not isinstance(size, int) or not isinstance(root, str) or not isinstance(places, dict):
        raise TypeError("state")
    return Mark(size, bytes.fromhex(root), {name: Cursor(*place) for name, place in places.items()})
