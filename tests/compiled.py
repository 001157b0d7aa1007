"""The guard that tests share: compiling its patterns takes four seconds of CPU, so it is done once for all."""

from __future__ import annotations

from functools import cache

from platformdirs import user_cache_path

from selat.guard import Guard

KEPT = user_cache_path("selat")
"""Where `selat guard` and every new home take it from; it stays between runs."""


@cache
def compiled() -> Guard:
    return Guard.load(KEPT)
