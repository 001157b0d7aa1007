"""The built-in engine: no weights; it quotes sentences from the prompt's sources, or says it does not know."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from selat.core.caller import Site
from selat.core.errors import BadRequest
from selat.core.passage import Citation, Passage
from selat.core.sources import answer_text, read_sources
from selat.engines.engine import EMBEDDINGS, Answer, Call, Health
from selat.engines.hashing import embed
from selat.engines.speak import Prompt, read_prompt, refusal, say

EXTRACTIVE = "extractive"
HASH_EMBEDDING = "hash-embedding"
_LOOP_BYTES = 16 * 1024  # a larger call is worked on in a thread: 10 ms of it would hold up every stream

Quote = Callable[[str, Sequence[Passage]], Sequence[Citation]]

NO_SOURCES = (
    "Saya tidak tahu: tiada sumber diberikan, dan enjin ini hanya memetik daripada sumber. "
    "Gunakan selat ask, atau tambah enjin: selat engine add.\n"
    "I do not know: no sources were given, and this engine only quotes from sources. "
    "Use selat ask, or add an engine: selat engine add."
)


class ExtractiveEngine:
    """Serves the models `extractive` (chat and completions) and `hash-embedding` (embeddings, lexical).

    The sources block is read from system messages alone: text that a user or a document brings in can open
    no block of its own. Usage is estimated. `quote` gives the best sentences of the passages, none when
    nothing answers; a citation's marker is its passage's place in the block.
    """

    def __init__(
        self, quote: Quote, site: Site, name: str = EXTRACTIVE, models: tuple[tuple[str, str], ...] = ()
    ) -> None:
        self.name = name
        self.site = site
        self._upstream = dict(models or ((EXTRACTIVE, EXTRACTIVE), (HASH_EMBEDDING, HASH_EMBEDDING)))
        self.models = tuple(self._upstream)
        self.in_flight = 0
        self._quote = quote

    def upstream_model(self, model: str) -> str:
        return self._upstream.get(model, model)

    async def send(self, call: Call) -> Answer:
        """A call that is wrong in itself is answered with 400, as other engines do."""
        work = self._embed if call.path == EMBEDDINGS else self._say
        if len(call.body) <= _LOOP_BYTES:
            return work(call)
        return await asyncio.to_thread(work, call)

    def _embed(self, call: Call) -> Answer:
        try:
            return embed(self.name, call)
        except BadRequest as error:
            return refusal(error)

    def _say(self, call: Call) -> Answer:
        try:
            prompt = read_prompt(self.name, call)
            text = self._answer(prompt)
        except BadRequest as error:
            return refusal(error)
        return say(prompt, text, int(time.time()))

    def _answer(self, prompt: Prompt) -> str:
        if self.upstream_model(prompt.model) == HASH_EMBEDDING:
            raise BadRequest(
                f"model '{HASH_EMBEDDING}' makes embeddings; to chat, ask for '{EXTRACTIVE}'", param="model"
            )
        sources = read_sources(prompt.system)
        if sources is None:
            return NO_SOURCES
        return answer_text(self._quote(prompt.question, sources.passages), sources.language)

    async def health(self) -> Health:
        return Health(True, "built in", 0.0, self.models)

    async def close(self) -> None:
        """Nothing to close."""
