"""Reads which pool is wanted: `local`, `processes:4`, `ray`, `ray:8`, `ray:auto`."""

from __future__ import annotations

from selat.core.errors import Misused
from selat.jobs.pool import Here, Pool
from selat.jobs.processes import Processes


def choose_pool(said: str) -> Pool:
    """The pool of that name. Raises: Misused, with what can be written."""
    kind, _, rest = said.partition(":")
    if said in ("", "local"):
        return Here()
    if kind == "processes" and (not rest or (rest.isdigit() and int(rest))):
        return Processes(int(rest or 0))
    if kind == "ray":
        # Only here: Ray is an extra, and its module is large.
        from selat.jobs.on_ray import OnRay

        if not rest:
            return OnRay()
        if rest.isdigit() and int(rest):
            return OnRay(workers=int(rest))
        if rest == "auto":
            return OnRay(rest)
    raise Misused(
        f"no pool '{said}'; write local, processes, processes:NUMBER, ray, ray:NUMBER of workers here, or "
        "ray:auto for the cluster that it is a node of"
    )
