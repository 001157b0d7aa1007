"""What a run is: the subject that sat the exam, under which conditions, and how far it came."""

from __future__ import annotations

from dataclasses import dataclass

from selat.evals.item import GENERATION, digest_of

RUNNING, COMPLETE, PARTIAL = "running", "complete", "partial"


@dataclass(frozen=True, slots=True)
class Subject:
    """The model as it was examined; `digest` changes with anything that could change its answers.

    `upstream` is the engine's own name for the model. `weights` and `chat_template` are SHA-256 of files, empty
    where nobody gave the files: then only what the engine calls itself is known, not what it runs. `settings` are
    those of an engine that Selat runs itself, by name.
    """

    model: str
    engine: str
    kind: str
    url: str = ""
    upstream: str = ""
    weights: str = ""
    chat_template: str = ""
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def digest(self) -> str:
        return digest_of(self)


@dataclass(frozen=True, slots=True)
class Budget:
    """Where a run stops by itself; 0 means without that limit. `at_once` is how many samples are under way."""

    at_once: int = 8
    samples: int = 0
    tokens: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Exam:
    """A pack or form that a run used, with its digest."""

    name: str
    digest: str
    version: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """One sitting. `state`: `running`, `complete` or `partial` (stopped by budget, failures or a kill)."""

    id: str
    started: str
    subject: Subject
    packs: tuple[Exam, ...]
    templates: tuple[Exam, ...]
    scoring: str = GENERATION
    ended: str = ""
    state: str = RUNNING
    total: int = 0
    asked: int = 0
    cached: int = 0
    failed: int = 0
    tokens: int = 0
