"""Sector kits and sample guides: data that Selat ships, and where it lies."""

from pathlib import Path


def guides() -> Path:
    """The folder of sample guides: `ms/<stem>.md` and `en/<stem>.md` tell the same facts."""
    return Path(__file__).parent / "guides"
