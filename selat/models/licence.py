"""The licence of a model: recognised from what its maker says, and what it forbids, from a dated table."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from selat.models.record import Lineage

_FRONT = re.compile(r"\A﻿?---\s*\n(.*?)\n---\s*(?:\n|\Z)", re.DOTALL)
_PHRASES = (
    ("apache-2.0", r"apache license,?\s+version 2\.0"),
    ("llama4", r"llama 4 community license"),
    ("llama3.3", r"llama 3\.3 community license"),
    ("llama3.2", r"llama 3\.2 community license"),
    ("llama3.1", r"llama 3\.1 community license"),
    ("llama3", r"llama 3 community license"),
    ("llama2", r"llama 2 community license"),
    ("gemma", r"gemma terms of use"),
    ("qwen-research", r"qwen research license"),
    ("qwen", r"(?:qwen|tongyi qianwen) license"),
    ("deepseek", r"deepseek license agreement"),
    ("mrl", r"mistral ai research license"),
    ("mnpl", r"mistral ai non-production license"),
    ("modified-mit", r"modified mit license"),
    ("mit", r"permission is hereby granted, free of charge, to any person obtaining a copy"),
)


@dataclass(frozen=True, slots=True)
class Licence:
    """A licence as the table has it; one that is not in it is not permissive, and what it forbids is not known."""

    id: str
    title: str
    permissive: bool
    forbids: str = ""
    forbids_ms: str = ""
    forbids_zh: str = ""
    forbids_ta: str = ""
    source: str = ""
    spdx: str = ""

    @property
    def derivatives(self) -> bool:
        """Whether changed versions may be made at all; of Creative Commons' licences those with ND forbid it."""
        return re.search(r"(?:^|-)nd(?:-|$)", self.id) is None

    def to_json(self) -> dict[str, object]:
        names = ("id", "title", "permissive", "forbids", "forbids_ms", "forbids_zh", "forbids_ta", "source")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Card:
    """What a model's card claims of it: by its maker, checked by nobody here."""

    licence: str = ""
    lineage: Lineage = Lineage()  # noqa: RUF009 - frozen
    languages: tuple[str, ...] = ()


@cache
def licences() -> dict[str, Licence]:
    """The table, by id."""
    table = tomllib.loads(files("selat.models").joinpath("licences.toml").read_text("utf-8"))
    return {id_: Licence(id_, **row) for id_, row in table.items() if isinstance(row, dict)}


def licence(id_: str) -> Licence:
    """The licence of that id, or one of which nothing is known."""
    known = licences().get(id_)
    if known is not None:
        return known
    return Licence(id_, f"'{id_}', not in our table" if id_ else "none stated", permissive=False)


def recognise(text: str) -> str:
    """The id of the licence whose text this is; "" where it is none that we know."""
    plain = " ".join(text.lower().split())
    return next((id_ for id_, phrase in _PHRASES if re.search(phrase, plain[:20_000])), "")


def card_of(said: dict[str, object]) -> Card:
    """A card from the fields of its front matter, as hubs give them; what is not as expected is passed over."""
    id_ = _text(said.get("license"))
    if id_ in ("", "other"):
        id_ = _text(said.get("license_name")) or id_
    base = _texts(said.get("base_model"))
    relation = _text(said.get("base_model_relation"))
    lineage = Lineage(base, relation or ("finetune" if base else ""), _texts(said.get("datasets")))
    return Card(id_.lower()[:100], lineage, _texts(said.get("language")))


def read_card(readme: str) -> Card:
    """The card of a README with YAML front matter: its plain `key: value` and `- value` lines, no more of YAML."""
    front = _FRONT.match(readme)
    said: dict[str, object] = {}
    key = ""
    for line in front[1].splitlines() if front else ():
        if match := re.match(r"([A-Za-z_]+):\s*(.*?)\s*$", line):
            key, value = match[1], _unquoted(match[2])
            said[key] = [_unquoted(one) for one in value[1:-1].split(",")] if value.startswith("[") else value
        elif (match := re.match(r"\s*-\s+(.+?)\s*$", line)) and key:
            held = said[key]
            said[key] = [*(held if isinstance(held, list) else []), _unquoted(match[1])]
    return card_of(said)


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def _text(value: object) -> str:
    value = value[0] if isinstance(value, list) and value else value
    return value if isinstance(value, str) else ""


def _texts(value: object) -> tuple[str, ...]:
    many = value if isinstance(value, list) else [value]
    return tuple(one[:200] for one in many[:50] if isinstance(one, str) and one)
