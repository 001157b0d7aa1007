"""The protocols: asks read from bodies, texts found and rewritten, answers and streams watched and shaped."""

from selat.wire.ask import APIS, CHAT, decode, read_ask, written
from selat.wire.asked import Ask
from selat.wire.body import AnswerBody, read_answer, read_refusal
from selat.wire.events import ASIDE, Events
from selat.wire.fields import has_others
from selat.wire.language import LANGUAGES, language_of
from selat.wire.messages_answer import messages_error
from selat.wire.shaper import Shaper, framed
from selat.wire.texts import rewrite, texts

__all__ = [
    "APIS",
    "ASIDE",
    "CHAT",
    "LANGUAGES",
    "AnswerBody",
    "Ask",
    "Events",
    "Shaper",
    "decode",
    "framed",
    "has_others",
    "language_of",
    "messages_error",
    "read_answer",
    "read_ask",
    "read_refusal",
    "rewrite",
    "texts",
    "written",
]
