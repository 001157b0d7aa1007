"""Models that help a search: a follow-up is written out, an answer supposed; each decided and booked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec

from selat.core.caller import Caller
from selat.core.errors import EngineError, Forbidden, HomeBroken, NotFound
from selat.flows.chat import Desk, Whole, chat
from selat.flows.embed import EngineEmbedder, embed
from selat.flows.entail import WORDING, Checker, EngineJudge, Judge, ModelJudge
from selat.flows.rerank import NO_RANKER, CallersReranker, EngineReranker, Ranker
from selat.knowledge import Embedder, Models, Reranker, onnx_embedder, onnx_entailer, onnx_reranker
from selat.models import ModelStore
from selat.wire import Ask, read_answer

LONGEST = 1_000
_REWRITE = (
    "The user asks a follow-up. Write the last question so that it is understood by itself, in its own language."
    " Reply with the question alone. / Tulis semula soalan terakhir supaya difahami dengan sendirinya, dalam"
    " bahasanya. Balas dengan soalan itu sahaja."
)
_SUPPOSE = (
    "Write two sentences, as they might stand in an official document, that would answer the question, in its own"
    " language. / Tulis dua ayat, seperti dalam dokumen rasmi, yang menjawab soalan ini, dalam bahasanya."
)


@dataclass(frozen=True, slots=True)
class Helpers:
    """Names of models, empty for none: `embed` makes the question's vector, `rewrite` writes follow-ups out,
    `suppose` writes an answer as it might be, whose nearness then counts (HyDE; Gao et al., ACL 2023).
    `checker` holds answers against their sources, `ranker` orders the passages found anew."""

    embed: str = ""
    rewrite: str = ""
    suppose: str = ""
    checker: Checker = WORDING
    ranker: Ranker = NO_RANKER


@dataclass(frozen=True, slots=True)
class Helped:
    """What to search for. `question` is empty where it stays as asked; `vector` None where nobody made one;
    `reranker` None where the library's own ranks."""

    question: str = ""
    meaning: str = ""
    vector: tuple[float, ...] | None = None
    reranker: Reranker | None = None


NOT_HELPED = Helped()
ENGINE = "engine:"


class House(Protocol):
    """Where models are found: folders named from the home, models on the shelf, engines asked at a desk."""

    @property
    def home(self) -> Home: ...
    @property
    def models(self) -> ModelStore: ...
    def desk(self) -> Desk: ...
    def local_caller(self, tenant: str) -> Caller: ...


class Home(Protocol):
    @property
    def path(self) -> Path: ...


def engine_of(said: str) -> str:
    """The engine's model that a setting names; empty where it names a folder or nothing."""
    return said.removeprefix(ENGINE) if said.startswith(ENGINE) else ""


class Searching(Protocol):
    """How searches go, as the settings say: which models, and what being nearest adds to a score."""

    @property
    def embed_model(self) -> str: ...
    @property
    def rerank_model(self) -> str: ...
    @property
    def rerank_timeout_s(self) -> float: ...
    @property
    def embed_weight(self) -> float: ...


class Helping(Searching, Protocol):
    """Which models help, and how answers are checked, as the settings say."""

    @property
    def rewrite_model(self) -> str: ...
    @property
    def suppose_model(self) -> str: ...
    @property
    def check_model(self) -> str: ...
    @property
    def check_unsupported(self) -> str: ...
    @property
    def check_timeout_s(self) -> float: ...


def searching(said: Searching, house: House) -> Models:
    """The models that a library searches with; each is read when first needed."""

    def embedder() -> Embedder | None:
        if model := engine_of(said.embed_model):
            return EngineEmbedder(house.desk, house.local_caller, model)
        return onnx_embedder(folder_of(said.embed_model, house)) if said.embed_model else None

    def reranker() -> Reranker | None:
        if (ranker := ranking(said)).model:
            return EngineReranker(house.desk, house.local_caller, ranker)
        return onnx_reranker(folder_of(said.rerank_model, house)) if said.rerank_model else None

    return Models(embedder, reranker, said.embed_weight)


def helping(said: Helping, house: House) -> Helpers:
    """The models that help, as the settings name them."""
    judge = judging(said.check_model, house)
    checker = Checker(judge, said.check_unsupported == "drop", said.check_timeout_s)
    return Helpers(engine_of(said.embed_model), said.rewrite_model, said.suppose_model, checker, ranking(said))


def ranking(said: Searching) -> Ranker:
    """The engine's model that ranks, where the setting names one."""
    return Ranker(engine_of(said.rerank_model), said.rerank_timeout_s)


def folder_of(said: str, house: House) -> Path:
    """The folder that a setting names: one on this machine, else that of a model on the shelf (NAME[@REVISION]).

    Raises: HomeBroken, where neither is there; ModelBroken, for a model that is in quarantine or damaged.
    """
    folder = house.home.path / said
    if folder.exists():
        return folder
    try:
        return house.models.path_of(house.models.model(said))
    except NotFound as error:
        raise HomeBroken(f"no folder '{said}', and {error}") from error


def judging(check_model: str, house: House) -> Judge | None:
    """What judges whether sources hold up an answer, as the setting names it; None: wording alone."""
    if model := engine_of(check_model):
        return EngineJudge(model)
    return ModelJudge(lambda: onnx_entailer(folder_of(check_model, house))) if check_model else None


async def help_search(desk: Desk, ask: Ask, helpers: Helpers, asked: list[str]) -> Helped:
    """Ask the helpers in the caller's own name. One that policy keeps from it, or that fails, is done without."""
    if not asked:
        return NOT_HELPED
    question = meaning = ""
    if helpers.rewrite and len(asked) > 1:
        question = await _say(desk, ask, helpers.rewrite, _REWRITE, "\n".join(asked[-4:]))
    if helpers.suppose:
        meaning = await _say(desk, ask, helpers.suppose, _SUPPOSE, question or asked[-1])
    vector: tuple[float, ...] | None = None
    if helpers.embed:
        vector = await _vector(desk, ask, helpers.embed, meaning or question or asked[-1])
    reranker = CallersReranker(desk, ask, helpers.ranker) if helpers.ranker.model else None
    return Helped(question, meaning, vector, reranker)


async def _vector(desk: Desk, ask: Ask, model: str, text: str) -> tuple[float, ...]:
    try:
        found = await embed(desk, ask.caller, model, [text], ask.label)
    except (EngineError, NotFound):
        return ()
    return tuple(found[0]) if found else ()


async def _say(desk: Desk, ask: Ask, model: str, system: str, text: str) -> str:
    """A model's short answer, empty where there is none."""
    messages = [{"role": "system", "content": system}, {"role": "user", "content": text}]
    document: dict[str, object] = {"model": model, "messages": messages, "max_tokens": 200, "temperature": 0}
    wish = ask._replace(
        model=model, body=msgspec.json.encode(document), document=document, stream=False, shaper=None
    )
    try:
        reply = await chat(desk, wish)
    except (EngineError, Forbidden, NotFound):
        return ""
    if not isinstance(reply, Whole) or reply.status != 200:
        return ""
    said = " ".join(read_answer(reply.body, model).texts[:1]).strip()
    return said if len(said) <= LONGEST else ""
