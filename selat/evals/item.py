"""The nouns of an eval: a pack of items, the sample that an item becomes, a model's reply, and its score."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import msgspec

KINDS = ("choice", "match", "refuse", "stance", "cite", "tool", "chrf", "verbatim")
LANGUAGES = ("ms", "en", "zh", "ta", "id", "mix", "sms")
LETTERS = "ABCDEFGHIJ"
REFUSE, ANSWER = "refuse", "answer"
GENERATION, FIRST_TOKEN = "generation", "first-token"
FIRST_CHARACTER, FULL_ANSWER = "first-character", "full-answer"
SCORINGS = (GENERATION, FIRST_CHARACTER, FIRST_TOKEN, FULL_ANSWER)
"""How multiple choice is scored: by the letter read from the reply; by the reply's first character alone; by the
letters' log-probabilities as the first token; by the mean log-probability of the question with each option written
out. Other items are always scored by what was generated."""
CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a pack, with where it comes from and why it is asked.

    `kind` says how it is scored; only that kind's fields are filled. `group` ties items that are versions of one
    another (parallel languages, two sides of a pair): they are one cluster in the statistics. `side` tells the
    members of a pair apart. `options_inside` marks a question whose text holds its options already.
    `any_of`, `all_of`, `none_of` are texts to find, ignoring case; `re:` before one makes it a pattern.
    """

    id: str
    kind: str
    language: str
    question: str
    date: str = ""
    source: str = ""
    rationale: str = ""
    topic: str = ""
    group: str = ""
    side: str = ""
    system: str = ""
    choices: tuple[str, ...] = ()
    answer: str = ""
    options_inside: bool = False
    expect: str = ""
    any_of: tuple[str, ...] = ()
    all_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    cites: tuple[int, ...] = ()
    tools: tuple[str, ...] = ()
    call: str = ""
    arguments: tuple[tuple[str, str], ...] = ()
    reference: str = ""

    @property
    def cluster(self) -> str:
        return self.group or self.id


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a model may call; `parameters` is its JSON Schema, as JSON text."""

    name: str
    description: str
    parameters: str


@dataclass(frozen=True, slots=True)
class Pack:
    """An exam: its items, and what every reader of a score must know. `digest` is the SHA-256 of its files.

    `chance` is what guessing scores, from 0 to 1; None where guessing has no meaning. Titles: (ms, en).
    """

    name: str
    version: str
    licence: str
    title: tuple[str, str]
    about: tuple[str, str]
    items: tuple[Item, ...]
    digest: str
    chance: float | None = None
    max_tokens: int = 256
    tools: tuple[Tool, ...] = ()

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(sorted({item.language for item in self.items}))


@dataclass(frozen=True, slots=True)
class Sample:
    """An item as it is put to a model: `body` is the request at `path` without the model's name, JSON object text.

    `digest` names the question, so that a reply to it is kept and never asked for twice.
    """

    pack: str
    item: Item
    template: str
    body: bytes
    path: str = CHAT

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.body).hexdigest()


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A call that a model made: the function's name and its arguments as JSON text."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said. `finish` is the engine's word for why it stopped; `outcome` is `answered` or `denied`.

    `top` are the log-probabilities of the first token's likeliest texts, `means` those of the options written out,
    in order and averaged over their tokens, where they were asked for and the engine gives them. `masked` says
    that policy let the question out only with its personal data masked: the model saw another text.
    """

    text: str
    finish: str = "stop"
    outcome: str = "answered"
    tool_uses: tuple[ToolUse, ...] = ()
    top: tuple[tuple[str, float], ...] = ()
    means: tuple[float, ...] = ()
    masked: bool = False
    receipt: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    duration_ms: int = 0

    @property
    def truncated(self) -> bool:
        return self.finish == "length"


@dataclass(frozen=True, slots=True)
class Score:
    """What a reply is worth, from 0 to 1, and what kind of reply it was.

    `status`: `scored`, `refused` (declined), `evaded` (talked past the question), `invalid` (no answer could be
    read) or `denied` (policy did not let the question out). `answer` is what was read from the reply;
    `truncated` and `masked` are as in Reply.
    """

    value: float
    status: str = "scored"
    answer: str = ""
    truncated: bool = False
    masked: bool = False


@dataclass(frozen=True, slots=True)
class Scored:
    """One sample of a run with its score: what statistics are made of."""

    pack: str
    item: str
    template: str
    language: str
    cluster: str
    score: Score
    topic: str = ""
    side: str = ""
    expect: str = ""
    sample: str = field(default="", repr=False)


def digest_of(value: object) -> str:
    """SHA-256 of a value's JSON with sorted keys."""
    return hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()
