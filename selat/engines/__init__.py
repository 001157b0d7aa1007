"""Talk to models: any OpenAI-compatible server by URL, or the built-in engine that quotes its sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from selat.core.later import later
from selat.engines.answer import Over
from selat.engines.drill import DrillFile, Drilling
from selat.engines.engine import (
    CHAT,
    COMPLETIONS,
    EMBEDDINGS,
    MODELS,
    Answer,
    Call,
    Engine,
    Health,
    Leave,
    Ready,
    Sink,
    Told,
)
from selat.engines.extractive import EXTRACTIVE, HASH_EMBEDDING, ExtractiveEngine
from selat.engines.limits import Capacity, Timeouts
from selat.engines.llama.spec import LlamaSpec
from selat.engines.openai import OpenAIEngine
from selat.engines.pouring import at_hand, flow, flows, pour, retry_after
from selat.engines.route import BreakerView, Route, Router, affinity_key
from selat.engines.shelf import LLAMA, MAKERS, Maker, Shelf, load_engines, makers
from selat.engines.spec import EngineSpec
from selat.engines.starting import begin
from selat.engines.survey import Surveyed, watch

if TYPE_CHECKING:
    from selat.engines.file import EngineFile
    from selat.engines.llama.host import Host
    from selat.engines.llama.lease import Hosting, Leases
    from selat.engines.llama.messages import Loaded, State
    from selat.engines.llama.need import Need, need_of, shown
    from selat.engines.llama.serve import Place, hold, whole_memory, write_place
else:
    __getattr__ = later(
        __name__,
        {
            "file": "EngineFile",
            "llama.host": "Host",
            "llama.lease": "Hosting Leases",
            "llama.messages": "Loaded State",
            "llama.need": "Need need_of shown",
            "llama.serve": "Place hold whole_memory write_place",
        },
    )

__all__ = [
    "CHAT",
    "COMPLETIONS",
    "EMBEDDINGS",
    "EXTRACTIVE",
    "HASH_EMBEDDING",
    "LLAMA",
    "MAKERS",
    "MODELS",
    "Answer",
    "BreakerView",
    "Call",
    "Capacity",
    "DrillFile",
    "Drilling",
    "Engine",
    "EngineFile",
    "EngineSpec",
    "ExtractiveEngine",
    "Health",
    "Host",
    "Hosting",
    "Leases",
    "Leave",
    "LlamaSpec",
    "Loaded",
    "Maker",
    "Need",
    "OpenAIEngine",
    "Over",
    "Place",
    "Ready",
    "Route",
    "Router",
    "Shelf",
    "Sink",
    "State",
    "Surveyed",
    "Timeouts",
    "Told",
    "affinity_key",
    "at_hand",
    "begin",
    "flow",
    "flows",
    "hold",
    "load_engines",
    "makers",
    "need_of",
    "pour",
    "retry_after",
    "shown",
    "watch",
    "whole_memory",
    "write_place",
]
