"""What other packages add to Selat by entry points: detectors, loaded when switched on, and packs for evals."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from selat.core.errors import HomeBroken, SelatError
from selat.guard import Detector

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

DETECTORS = "selat.detectors"
"""The entry-point group: callables that return a `selat.guard.Detector`, given what stands after `=`
in the setting, or nothing."""

EVALS = "selat.evals"
"""The entry-point group: callables that return the paths of pack files, each the TOML of `selat eval new`."""


def load_detectors(setting: str) -> tuple[Detector, ...]:
    """The detectors that setting `guard_detectors` names, in its order: `presidio, gliner=/models/gliner`.

    One that is missing or does not load stops start-up: a house that asked for it must not run without it.
    Raises: HomeBroken, naming the detector and what is installed.
    """
    wanted = [part.strip().partition("=") for part in setting.split(",") if part.strip()]
    if not wanted:
        return ()
    from importlib.metadata import entry_points  # brings email: only where a package is looked for

    installed = {point.name: point for point in entry_points(group=DETECTORS)}
    return tuple(_load(name.strip(), option.strip(), installed) for name, _, option in wanted)


def _load(name: str, option: str, installed: dict[str, EntryPoint]) -> Detector:
    point = installed.get(name)
    if point is None:
        known = ", ".join(sorted(installed)) or "none"
        raise HomeBroken(f"setting guard_detectors: no detector '{name}' is installed; installed: {known}")
    try:
        make = point.load()
        made = make(option) if option else make()
    except SelatError:
        raise
    except Exception as error:  # foreign code may raise anything; start-up ends either way
        raise HomeBroken(
            f"detector '{name}' of {point.value} does not load: {type(error).__name__}; install its extra, or take"
            " it out of guard_detectors"
        ) from error
    if not isinstance(getattr(made, "name", None), str) or not callable(getattr(made, "find", None)):
        raise HomeBroken(f"detector '{name}' of {point.value} has no `name` and `find`; see selat.guard.Detector")
    detector: Detector = made
    return detector


def eval_packs() -> dict[str, Path]:
    """The files of the packs that installed packages bring, by the pack's name, which is the file's.

    Raises: HomeBroken, naming the package that does not load, brings no file, or takes a name that is taken.
    """
    from importlib.metadata import entry_points

    from selat.evals.load import shipped  # brings numpy: a gateway has no use for it

    found: dict[str, Path] = {}
    for point in sorted(entry_points(group=EVALS), key=lambda point: (point.name, point.value)):
        try:
            paths = [Path(path) for path in point.load()()]
        except Exception as error:  # foreign code may raise anything
            raise HomeBroken(
                f"packs '{point.name}' of {point.value} do not load: {type(error).__name__}; mend or uninstall it"
            ) from error
        for path in paths:
            if path.suffix != ".toml" or not path.is_file():
                raise HomeBroken(
                    f"packs '{point.name}' of {point.value}: {path} is no pack file; mend or uninstall it"
                )
            if path.stem in found or path.stem in shipped():
                raise HomeBroken(f"packs '{point.name}' of {point.value}: the name '{path.stem}' is taken")
            found[path.stem] = path
    return found
