"""Puts items to a model: one of several fixed forms, in the item's language, as a chat request."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import msgspec

from selat.core.errors import NotFound
from selat.core.label import LOWEST
from selat.core.passage import Passage, Source
from selat.core.sources import ABSTENTIONS, Sources, write_sources
from selat.evals.item import (
    COMPLETIONS,
    FIRST_TOKEN,
    FULL_ANSWER,
    GENERATION,
    LETTERS,
    Item,
    Pack,
    Sample,
    digest_of,
)

DEFAULT = "biasa"
_FILE = Path(__file__).parent / "templates.toml"
_TOP = 20
SEED = 7
_LEADS = {"ms": "Jawapan:", "en": "Answer:", "zh": "答案：", "ta": "விடை:", "id": "Jawaban:"}

_Form = Mapping[str, object]


@cache
def _forms() -> dict[str, dict[str, object]]:
    return tomllib.loads(_FILE.read_text("utf-8"))


def templates() -> tuple[str, ...]:
    """The names of the forms; the first is the one used unless another is named."""
    return tuple(_forms())


def template_digest(name: str) -> str:
    """What the form says, as SHA-256. Raises: NotFound."""
    return digest_of(_form(name))


def put_in(item: Item, template: str) -> bool:
    """Whether an item is put in a form; some forms are for one kind only. Raises: NotFound."""
    return _form(template).get("only", item.kind) == item.kind


def count(pack: Pack, names: Iterable[str]) -> int:
    """How many samples a pack makes in the forms of those names."""
    return sum(put_in(item, name) for name in names for item in pack.items)


def samples(pack: Pack, template: str = DEFAULT, scoring: str = GENERATION) -> list[Sample]:
    """Every item of a pack as a request; multiple choice as the scoring needs it."""
    tools = {tool.name: tool for tool in pack.tools}
    made: list[Sample] = []
    for item in pack.items:
        if not put_in(item, template):
            continue
        if scoring == FULL_ANSWER and item.kind == "choice":
            made.append(Sample(pack.name, item, template, _written_out(item, template), COMPLETIONS))
            continue
        body: dict[str, object] = {"messages": messages(item, template), "temperature": 0, "seed": SEED}
        if scoring == FIRST_TOKEN and item.kind == "choice":
            body |= {"max_tokens": 1, "logprobs": True, "top_logprobs": _TOP}
        else:
            body["max_tokens"] = pack.max_tokens
        if item.tools:
            body["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": name,
                        "description": tools[name].description,
                        "parameters": msgspec.json.decode(tools[name].parameters),
                    },
                }
                for name in item.tools
            ]
        made.append(Sample(pack.name, item, template, msgspec.json.encode(body)))
    return made


def _written_out(item: Item, template: str) -> bytes:
    """The question once with each option after it, of which the engine is to tell how likely each token is.

    No chat template is applied: a server completes these texts as they are. The token that it adds is not read.
    Source: MalayMMLU, src/utils.py, `predict_classification_causal`.
    """
    asked = "\n\n".join(message["content"] for message in messages(item, template))
    lead = _LEADS.get(item.language, _LEADS["ms"])
    asked = asked if asked.endswith((":", "：")) else f"{asked}\n{lead}"
    texts = [f"{asked}{letter}. {choice}" for letter, choice in zip(LETTERS, item.choices, strict=False)]
    body = {"prompt": texts, "echo": True, "logprobs": 1, "max_tokens": 1, "temperature": 0, "seed": SEED}
    return msgspec.json.encode(body)


def messages(item: Item, template: str = DEFAULT) -> list[dict[str, str]]:
    """The conversation that puts an item. Raises: NotFound, for a form that is not there."""
    form = _form(template)
    if rules := form.get("rules"):
        return _as_served(item, rules)
    kind = item.kind if item.kind in ("choice", "cite") else "open"
    if item.options_inside:
        kind = "inside"
    text = _said(form, kind, item.language)
    lines: list[str] = []
    if not item.options_inside:
        option = str(form["option"])
        pairs = zip(LETTERS, item.choices, strict=False)
        lines = [_fill(option, letter=letter, text=choice) for letter, choice in pairs]
    documents = [f"[{number}] {document}" for number, document in enumerate(item.documents, 1)]
    asked = _fill(text, question=item.question, options="\n".join(lines), documents="\n\n".join(documents))
    system = item.system or _said(form, "system", item.language)
    put = [{"role": "system", "content": system}] if system else []
    return [*put, {"role": "user", "content": asked}]


def _as_served(item: Item, rules: object) -> list[dict[str, str]]:
    """The conversation as the answer flow writes it, with the item's documents as its sources."""
    assert isinstance(rules, Mapping)
    language = item.language if item.language in rules else "ms"
    passages = tuple(
        Passage(Source(f"d{number}", f"Dokumen {number}"), 1, 0, len(document), document, LOWEST)
        for number, document in enumerate(item.documents, 1)
    )
    said = _fill(str(rules[language]), abstention=ABSTENTIONS[language])
    system = f"{said}\n\n{write_sources(Sources(language, passages))}"
    return [{"role": "system", "content": system}, {"role": "user", "content": item.question}]


def _form(name: str) -> _Form:
    if name not in _forms():
        raise NotFound(f"no template of that name; known: {', '.join(_forms())}")
    return _forms()[name]


def _said(form: _Form, kind: str, language: str) -> str:
    """The text of a kind in a language; Malay stands in where there is none, also for mixed speech."""
    texts = form.get(kind, {})
    assert isinstance(texts, Mapping)
    return str(texts.get(language) or texts.get("ms", ""))


def _fill(form: str, **values: str) -> str:
    # Not str.format: questions hold braces of their own, and a filled-in value must not be filled again.
    parts = form.split("{")
    out = [parts[0]]
    for part in parts[1:]:
        name, brace, rest = part.partition("}")
        out.append(values[name] + rest if brace and name in values else "{" + part)
    return "".join(out)
