"""The OpenAI protocol's shapes: asks read from bodies, texts found and rewritten, answers and streams watched."""

from selat.wire.ask import APIS, Ask, decode, read_ask
from selat.wire.body import AnswerBody, read_answer
from selat.wire.events import Events
from selat.wire.texts import rewrite, texts

__all__ = ["APIS", "AnswerBody", "Ask", "Events", "decode", "read_answer", "read_ask", "rewrite", "texts"]
