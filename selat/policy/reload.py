"""Takes up a changed policy folder while the gateway runs; a bad set never replaces a good one."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from selat.core.errors import PolicyBroken
from selat.policy.decide import Decider
from selat.policy.sets import DEFAULT, PolicySet

log = logging.getLogger("selat.policy")

Mark = tuple[tuple[str, int, int], ...]


class Reload:
    """Decides by the set in `folder`, also when it changes; `load` makes a set of it (`load_proved`).

    Call `check` now and then: unchanged it costs a few `stat` calls. A change is loaded and proved before it
    returns, up to half a second, so an event loop calls it in a thread.
    """

    def __init__(self, folder: Path, load: Callable[[Path], PolicySet] = PolicySet.load) -> None:
        """Raises: PolicyBroken, where there is no good set to begin with."""
        self.folder = folder
        self._load = load
        self._mark = _mark(folder)  # before it is loaded: the first check finds what changes meanwhile
        self.decider = Decider(load(folder))
        self.error = ""

    def check(self) -> bool:
        """Load the folder if it changed; True if another set is now in force.

        A set that cannot be loaded leaves the one in force; `error` and the log then say why.
        """
        mark = _mark(self.folder)
        if mark == self._mark:
            return False
        self._mark = mark
        try:
            policies = self._load(self.folder)
        except PolicyBroken as error:
            self.error = str(error)
            log.error("the changed policies are not taken up, the earlier set stays in force: %s", error)
            return False
        self.error = ""
        if policies.basis == self.decider.policies.basis:
            return False
        self.decider.use(policies)
        log.info("policy set %s is in force, %d policies", policies.basis.set_hash[:12], len(policies.policies))
        return True


def _mark(folder: Path) -> Mark:
    """Name, size and time of change of each file: what shows that the folder changed."""
    found = []
    for path in sorted(folder.rglob("*")):
        try:
            stat = path.stat()
        except FileNotFoundError:
            continue
        found.append((str(path), stat.st_size, stat.st_mtime_ns))
    return tuple(found)


def lay_out(folder: Path) -> list[Path]:
    """Copy the shipped set to `folder` where a file is missing; what is there is left alone. The files written."""
    import shutil  # for the commands, and not for a worker, which holds this module too

    written = []
    for source in sorted(path for path in DEFAULT.rglob("*") if path.is_file()):
        target = folder / source.relative_to(DEFAULT)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
            written.append(target)
    return written
