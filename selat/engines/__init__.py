"""Talk to models: any OpenAI-compatible server by URL, or the built-in engine that quotes its sources."""

from selat.engines.config import EngineFile
from selat.engines.detect import Detected, detect
from selat.engines.engine import CHAT, COMPLETIONS, EMBEDDINGS, MODELS, Answer, Call, Engine, Health, Ready
from selat.engines.extractive import EXTRACTIVE, HASH_EMBEDDING, ExtractiveEngine
from selat.engines.limits import Capacity, Timeouts
from selat.engines.openai import OpenAIEngine
from selat.engines.route import BreakerView, Route, Router, affinity_key
from selat.engines.shelf import MAKERS, Maker, Shelf, load_engines, makers
from selat.engines.spec import EngineSpec
from selat.engines.survey import Surveyed, watch

__all__ = [
    "CHAT",
    "COMPLETIONS",
    "EMBEDDINGS",
    "EXTRACTIVE",
    "HASH_EMBEDDING",
    "MAKERS",
    "MODELS",
    "Answer",
    "BreakerView",
    "Call",
    "Capacity",
    "Detected",
    "Engine",
    "EngineFile",
    "EngineSpec",
    "ExtractiveEngine",
    "Health",
    "Maker",
    "OpenAIEngine",
    "Ready",
    "Route",
    "Router",
    "Shelf",
    "Surveyed",
    "Timeouts",
    "affinity_key",
    "detect",
    "load_engines",
    "makers",
    "watch",
]
