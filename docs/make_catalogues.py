"""Bring the console's catalogues up to its texts: new ones are added empty, unused ones go, the rest stays.

`python docs/make_catalogues.py` (or `make words`); then fill in what is empty in `selat/console/locale/*.po`.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

HOUSE = Path(__file__).parent.parent / "selat" / "console"
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2")]
OPTIONS = {"templates/**.html": {"trimmed": "true"}}
KEYWORDS = {"_": None, "N_": None, "_n": (1, 2)}
LANGUAGES = ("en", "zh", "ta")


def extracted() -> Catalog:
    """Every text of the console, in Malay."""
    found = Catalog(locale="ms", charset="utf-8")
    for _, _, message, _, _ in extract_from_dir(HOUSE, METHODS, OPTIONS, KEYWORDS):
        found.add(message)
    return found


def path_of(language: str) -> Path:
    return HOUSE / "locale" / f"{language}.po"


def read(language: str) -> Catalog:
    path = path_of(language)
    if not path.exists():
        return Catalog(locale=language, charset="utf-8")
    return read_po(io.BytesIO(path.read_bytes()), locale=language)


def renewed(language: str, texts: Catalog) -> Catalog:
    """The language's catalogue with exactly these texts."""
    old, made = read(language), Catalog(locale=language, charset="utf-8")
    for message in texts:
        if message.id:
            kept = old.get(message.id)
            made.add(message.id, kept.string if kept else "")
    return made


def written(catalogue: Catalog) -> bytes:
    """Sorted, one text a line, without places: two people who add texts then touch different lines."""
    out = io.BytesIO()
    write_po(out, catalogue, width=0, no_location=True, omit_header=True, sort_output=True)
    head = ["Content-Type: text/plain; charset=utf-8", f"Plural-Forms: {catalogue.plural_forms}"]
    lines = "".join(f'"{line}\\n"\n' for line in head)
    return f'msgid ""\nmsgstr ""\n{lines}\n'.encode() + out.getvalue()


def missing(catalogue: Catalog) -> list[str]:
    """The texts that have no translation, or not in every plural form."""

    def whole(said: str | tuple[str, ...]) -> bool:
        return bool(said) if isinstance(said, str) else len(said) == catalogue.num_plurals and all(said)

    return [str(one.id) for one in catalogue if one.id and not whole(one.string)]


if __name__ == "__main__":
    said = extracted()
    for name in LANGUAGES:
        catalogue = renewed(name, said)
        path_of(name).write_bytes(written(catalogue))
        sys.stdout.write(f"{name}: {len(catalogue)} texts, {len(missing(catalogue))} to translate\n")
