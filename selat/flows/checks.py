"""checks: every byte of a model read again by a process of its own, to verify it or to end its quarantine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from selat.core.errors import Misused
from selat.flows.shelve import Shelving
from selat.flows.tasks import Runner, Teller, launching
from selat.models.checks import ADMIT, Check
from selat.models.record import QUARANTINED
from selat.models.tasks import Tasks

AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Checking:
    """Begins, stops and does checks; `shelving(by)` books in a name."""

    runner: Runner[Check]
    shelving: Callable[[str], Shelving]
    fresh_id: Callable[[], str]

    def begin(self, does: str, which: tuple[str, str], by: str, why: str = "") -> Check:
        """Start reading a model (its name and revision) again; it is booked first, and so is what comes of it.

        Raises: NotFound; Misused, where it is being read already, too many are, or it is in no quarantine to be
        let out of; LedgerUnavailable.
        """
        shelving = self.shelving(by)
        model = shelving.store.model(*which)
        if does == ADMIT and model.state != QUARANTINED:
            raise Misused(f"{model.title} is not in quarantine")
        if any((one.model, one.revision) == (model.name, model.revision) for one in self.runner.running()):
            raise Misused(f"{model.title} is being read already; wait for that to end, or stop it")
        self.runner.leave_room()
        made = Check(
            id=self.fresh_id(),
            by=by,
            began=shelving.now(),
            model=model.name,
            revision=model.revision,
            size_bytes=model.size_bytes,
            does=does,
            why=why,
            label=model.label,
        )
        shelving.record("check.begun", _facts(made))
        self.runner.start(made)
        self.runner.tasks.forget_old()
        return made

    def stop(self, check_id: str, by: str) -> Check:
        """Ask a check to stop; nothing is changed by it then. Raises: NotFound, Misused, LedgerUnavailable."""
        found = self.runner.running_one(check_id)
        self.shelving(by).record("check.stopped", _facts(found))
        self.runner.tasks.ask_to_stop(check_id)
        return found

    def carry_out(self, check_id: str) -> Check:
        """Do a check, here and now, and write how it ended. Raises: NotFound."""
        asked = self.runner.tasks.find(check_id)
        teller, shelving = Teller(self.runner.tasks, asked), self.shelving(asked.by)

        def does() -> None:
            if asked.does == ADMIT:
                shelving.admit(asked.model, asked.revision, asked.why, teller.told)
                return
            damaged = shelving.verify(shelving.store.model(asked.model, asked.revision), teller.told)
            teller.learned(damaged={one.path: one.state for one in damaged})

        return teller.see_through(does, shelving.now)


def _facts(check: Check) -> dict[str, object]:
    return {"check": check.id, "does": check.does, "model": check.model, "revision": check.revision}


def checking(home: Path, shelving: Callable[[str], Shelving], fresh_id: Callable[[], str]) -> Checking:
    """The checks of a home, each done by a process of its own."""
    tasks = Tasks(home / "models" / "checks", Check)
    return Checking(Runner(tasks, launching(home, "check"), AT_ONCE), shelving, fresh_id)
