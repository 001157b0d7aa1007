"""Names that a package gives when they are asked for: what a process never asks for stays out of its memory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def later(package: str, names: Mapping[str, str]) -> Callable[[str], object]:
    """A package's `__getattr__`: `names` says for each of its modules which names it gives, parted by spaces.

    `HERE=THERE` gives under another name. None may be that of a module: who imports that puts it in its place.
    """
    places: dict[str, tuple[str, str]] = {}
    for module, said in names.items():
        for name in said.split():
            here, _, there = name.partition("=")
            places[here] = f"{package}.{module}", there or here

    def give(name: str) -> object:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, there = places[name]
        value = getattr(import_module(module), there)
        setattr(sys.modules[package], name, value)
        return value

    return give
