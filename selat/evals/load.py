"""Reads packs: TOML files that a teacher can edit, checked item by item."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec

from selat.core.errors import Misused, NotFound
from selat.evals.item import ANSWER, KINDS, LANGUAGES, LETTERS, REFUSE, Item, Pack, Tool

PACKS = Path(__file__).parent / "packs"
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z")
_PACK_FIELDS = frozenset(
    {"name", "version", "licence", "kind", "title", "about", "chance", "max_tokens", "defaults", "tool", "item"}
)
_ITEM_FIELDS = frozenset(Item.__dataclass_fields__)
_LISTS = frozenset({"choices", "any_of", "all_of", "none_of", "documents", "tools"})


def shipped() -> tuple[str, ...]:
    """The names of the packs that come with Selat."""
    return tuple(sorted(path.stem for path in PACKS.glob("*.toml")))


def find_pack(name: str) -> Pack:
    """A shipped pack by name, or any by the path of its file. Raises: NotFound, Misused."""
    path = Path(name)
    if path.suffix == ".toml":
        return read_pack(path)
    if name not in shipped():
        raise NotFound(f"no pack of that name; shipped: {', '.join(shipped())}. Or give a path that ends in .toml")
    return read_pack(PACKS / f"{name}.toml")


def read_pack(path: Path) -> Pack:
    """Read a pack file. Raises: Misused, naming file, item and field."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Misused(f"{path}: {error.strerror}; make a pack with: selat eval new") from error
    return _parsed(str(path), data)


@cache
def _parsed(name: str, data: bytes) -> Pack:
    where = Path(name).name
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misused(f"{where}: not valid TOML: {error}") from error
    _known(where, document, _PACK_FIELDS)
    tools = tuple(_tool(where, fields) for fields in _tables(where, document, "tool"))
    defaults = {"kind": document.get("kind", "choice"), **document.get("defaults", {})}
    _known(f"{where}: defaults", defaults, _ITEM_FIELDS)
    items = tuple(_item(where, {**defaults, **fields}) for fields in _tables(where, document, "item"))
    if not items:
        raise Misused(f"{where}: no [[item]]; a pack without items measures nothing")
    _unique(where, items)
    known = {tool.name for tool in tools}
    for item in items:
        if not set(item.tools) | ({item.call} - {""}) <= known:
            raise Misused(f"{where}: item {item.id}: a tool that has no [[tool]]")
    chance = document.get("chance")
    return Pack(
        name=_text(where, document, "name"),
        version=_text(where, document, "version"),
        licence=_text(where, document, "licence"),
        title=_both(where, document, "title"),
        about=_both(where, document, "about"),
        items=items,
        digest=hashlib.sha256(data).hexdigest(),
        chance=guessing(items) if chance is None else float(chance),
        max_tokens=int(document.get("max_tokens", 256)),
        tools=tools,
    )


def guessing(items: tuple[Item, ...]) -> float | None:
    """What guessing scores on multiple choice: the mean of one over the number of options."""
    counts = [len(item.choices) for item in items if item.kind == "choice"]
    return sum(1 / count for count in counts) / len(counts) if len(counts) == len(items) else None


def _item(where: str, fields: Mapping[str, object]) -> Item:
    place = f"{where}: item {fields.get('id', '?')}"
    _known(place, fields, _ITEM_FIELDS)
    values: dict[str, object] = {}
    for name, value in fields.items():
        if name in _LISTS:
            if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
                raise Misused(f"{place}: {name} is a list of texts")
            values[name] = tuple(value)
        elif name == "cites":
            if not isinstance(value, list) or not all(isinstance(one, int) for one in value):
                raise Misused(f"{place}: cites is a list of document numbers")
            values[name] = tuple(value)
        elif name == "arguments":
            if not isinstance(value, Mapping):
                raise Misused(f"{place}: arguments is a table")
            values[name] = tuple((str(key), str(one)) for key, one in value.items())
        elif name == "options_inside":
            values[name] = bool(value)
        elif isinstance(value, str):
            values[name] = value
        else:
            raise Misused(f"{place}: {name} is a text")
    for name in ("id", "language", "date", "source", "rationale", "question"):
        if not values.get(name):
            raise Misused(f"{place}: {name} is missing")
    item = Item(**values)  # type: ignore[arg-type]
    _check(place, item)
    return item


def _check(place: str, item: Item) -> None:
    wrong = ""
    if item.kind not in KINDS:
        wrong = f"kind is one of {', '.join(KINDS)}"
    elif item.language not in LANGUAGES:
        wrong = f"language is one of {', '.join(LANGUAGES)}"
    elif not _DATE.match(item.date):
        wrong = "date is written as 2026-11-22"
    elif item.kind == "choice" and not 2 <= len(item.choices) <= len(LETTERS):
        wrong = f"choices are 2 to {len(LETTERS)}"
    elif item.kind == "choice" and item.answer not in list(LETTERS[: len(item.choices)]):
        wrong = f"answer is one of {', '.join(LETTERS[: len(item.choices)])}"
    elif item.kind == "refuse" and item.expect not in (REFUSE, ANSWER):
        wrong = f"expect is '{REFUSE}' or '{ANSWER}'"
    elif item.kind == "match" and not (item.any_of or item.all_of or item.none_of):
        wrong = "one of any_of, all_of, none_of is needed"
    elif item.kind == "cite" and not item.documents:
        wrong = "documents are needed"
    elif item.kind == "cite" and not all(1 <= number <= len(item.documents) for number in item.cites):
        wrong = "cites holds a number that no document has"
    elif item.kind == "tool" and not item.tools:
        wrong = "tools are needed"
    elif item.kind in ("chrf", "verbatim") and not item.reference:
        wrong = "reference is needed"
    for pattern in (*item.any_of, *item.all_of, *item.none_of):
        if pattern.startswith("re:"):
            try:
                re.compile(pattern[3:])
            except re.error as error:
                wrong = f"a pattern is not valid: {error}"
    if wrong:
        raise Misused(f"{place}: {wrong}")


def _unique(where: str, items: tuple[Item, ...]) -> None:
    seen: set[str] = set()
    for item in items:
        if item.id in seen:
            raise Misused(f"{where}: item {item.id}: the id is there twice")
        seen.add(item.id)


def _tool(where: str, fields: Mapping[str, object]) -> Tool:
    _known(f"{where}: tool", fields, frozenset({"name", "description", "parameters"}))
    parameters = fields.get("parameters", {})
    if not isinstance(parameters, Mapping):
        raise Misused(f"{where}: tool {fields.get('name', '?')}: parameters is a table of name = description")
    schema = {
        "type": "object",
        "properties": {name: {"type": "string", "description": text} for name, text in parameters.items()},
        "required": list(parameters),
    }
    encoded = msgspec.json.encode(schema).decode()
    return Tool(_text(where, fields, "name"), _text(where, fields, "description"), encoded)


def _known(where: str, fields: Mapping[str, object], names: frozenset[str]) -> None:
    if unknown := sorted(set(fields) - names):
        raise Misused(f"{where}: unknown field '{unknown[0]}'; known: {', '.join(sorted(names))}")


def _tables(where: str, document: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    found = document.get(name, [])
    if not isinstance(found, list):
        raise Misused(f"{where}: write each as [[{name}]]")
    return found


def _text(where: str, fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise Misused(f"{where}: {name} is missing")
    return value


def _both(where: str, fields: Mapping[str, object], name: str) -> tuple[str, str]:
    value = fields.get(name)
    if not isinstance(value, Mapping) or not {"ms", "en"} <= set(value):
        raise Misused(f'{where}: {name} is {{ ms = "…", en = "…" }}')
    return str(value["ms"]), str(value["en"])
