"""The fields of an `[[engine]]` in `engines.toml`: which there are, and what each may hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from selat.core.caller import Site
from selat.core.errors import HomeBroken, Misused
from selat.engines.limits import Capacity, Timeouts
from selat.engines.llama.spec import LlamaSpec
from selat.engines.spec import EngineSpec, base_url

FIELDS = {
    "name": "the engine's name: lower-case letters, digits, dots, dashes",
    "kind": "`openai` for a server by URL, `llama` for a GGUF file run here, `extractive` for another built-in",
    "url": "base URL, as in http://127.0.0.1:8000/v1",
    "models": 'names served: ["a", "b"], or public name = "engine\'s own name"',
    "site": "where it runs: jurisdiction, operator, operator_jurisdiction, hardware",
    "key_env": "environment variable that holds its key",
    "key_file": "file that holds its key",
    "headers": "further request headers",
    "ca_file": "PEM file of the authority that signs its certificate",
    "health": "path to probe, else /v1/models",
    "weight": "share among engines of the same model: 1 to 1000; 0 only as a last resort",
    "llama": "of kind `llama`: gguf, adapters, context, parallel, threads, gpu_layers, pinned and more",
    "timeouts": "seconds: queue, connect, first_byte, between, total, load",
    "max_connections": "calls at once",
    "max_waiting": "calls that may wait for one of those",
    "idle": "seconds an unused connection is kept",
}
SITE_FIELDS = ("jurisdiction", "operator", "operator_jurisdiction", "hardware")
TIMEOUT_FIELDS = ("queue", "connect", "first_byte", "between", "total", "load")
LLAMA_FIELDS = (
    *("gguf", "adapters", "context", "parallel", "threads", "gpu_layers"),
    *("embedding", "pinned", "memory_mb", "cache_mb", "chat_template"),
)
EMBEDDING = ("auto", "yes", "no")
OWN_HEADERS = (
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
)
_KEYS = frozenset({"key", "api_key", "apikey", "token", "secret", "password"})
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_MODEL = re.compile(r"[!-~]{1,200}")
_COUNTRY = re.compile(r"[A-Z]{2}")


class Reader:
    """Reads one entry of one file; every refusal names file, entry and field, and never repeats a value."""

    def __init__(self, path: Path, number: int, entry: Mapping[str, object], kinds: tuple[str, ...]) -> None:
        self._path, self._number, self._entry, self._kinds = path, number, entry, kinds
        name = entry.get("name")
        self._name = name if isinstance(name, str) and _NAME.fullmatch(name) else ""

    def refuse(self, field: str, reason: str) -> NoReturn:
        which = f"engine {self._number}" + (f" ('{self._name}')" if self._name else "")
        raise HomeBroken(f"{self._path}: {which}, field '{field}': {reason}")

    def read(self) -> EngineSpec:
        """The spec. Raises: HomeBroken."""
        for field in self._entry:
            if field.lower() in _KEYS:
                self.refuse(field, "keys do not belong in this file; use key_env or key_file")
            if field not in FIELDS:
                self.refuse(field, f"not known; known: {', '.join(FIELDS)}")
        if not self._name:
            self.refuse("name", f"needed: {FIELDS['name']}, at most 64")
        kind = self._text("kind", "openai")
        if kind not in self._kinds:
            self.refuse("kind", f"not known; known: {', '.join(self._kinds)}")
        if "key_env" in self._entry and "key_file" in self._entry:
            self.refuse("key_file", "key_env is set too; keep one")
        usual = Capacity()
        return EngineSpec(
            name=self._name,
            llama=self._llama(kind),
            kind=kind,
            site=self._site(),
            models=self._models(kind),
            url=self._url(kind),
            key_env=self._matching("key_env", _VARIABLE, "the name of an environment variable"),
            key_file=self._file("key_file"),
            headers=self._headers(),
            ca_file=self._file("ca_file"),
            health_path=self._text("health", "/v1/models"),
            weight=self._whole("weight", 1, 0, 1000),
            timeouts=self._timeouts(),
            capacity=Capacity(
                self._whole("max_connections", usual.max_connections, 1, 65535),
                self._whole("max_waiting", usual.max_waiting, 0, 1_000_000),
                self._seconds("idle", self._entry.get("idle", usual.idle_s)),
            ),
        )

    def _text(self, field: str, default: str = "") -> str:
        value = self._entry.get(field, default)
        if not isinstance(value, str) or not value.isprintable():
            self.refuse(field, "a text")
        return value

    def _matching(self, field: str, pattern: re.Pattern[str], what: str) -> str:
        value = self._text(field)
        if field in self._entry and not pattern.fullmatch(value):
            self.refuse(field, what)
        return value

    def _file(self, field: str) -> str:
        """A path; a relative one is meant from the folder of `engines.toml`."""
        return self._path_of(field, self._text(field))

    def _path_of(self, field: str, value: object) -> str:
        if not isinstance(value, str) or not value.isprintable():
            self.refuse(field, "a path")
        return str((self._path.parent / value).absolute()) if value else ""

    def _whole(self, field: str, default: int, least: int, most: int) -> int:
        return self._whole_of(field, self._entry.get(field, default), least, most)

    def _whole_of(self, field: str, value: object, least: int, most: int) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self.refuse(field, f"a whole number from {least} to {most}")
        return value

    def _seconds(self, field: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 86_400:
            self.refuse(field, "seconds, above 0 and at most 86400")
        return float(value)

    def _table(self, field: str, known: tuple[str, ...]) -> Mapping[str, object]:
        value = self._entry.get(field, {})
        if not isinstance(value, Mapping):
            self.refuse(field, f"a table of {', '.join(known)}")
        for key in value:
            if key not in known:
                self.refuse(f"{field}.{key}", f"not known; known: {', '.join(known)}")
        return value

    def _site(self) -> Site:
        table = self._table("site", SITE_FIELDS)
        if "jurisdiction" not in table:
            self.refuse("site.jurisdiction", "needed, as in MY: policy decides by where an engine runs")
        words: dict[str, str] = {}
        for key, value in table.items():
            country = key in ("jurisdiction", "operator_jurisdiction")
            if country and not (isinstance(value, str) and _COUNTRY.fullmatch(value)):
                self.refuse(f"site.{key}", "two capital letters (ISO 3166-1), as in MY")
            if not isinstance(value, str) or not 0 < len(value) <= 100 or not value.isprintable():
                self.refuse(f"site.{key}", "a text of at most 100 characters")
            words[key] = value
        return Site(**words)

    def _models(self, kind: str) -> tuple[tuple[str, str], ...]:
        value = self._entry.get("models", [])
        pairs = list(value.items()) if isinstance(value, Mapping) else None
        if pairs is None:
            pairs = [(name, name) for name in value] if isinstance(value, list) else []
        if not pairs and kind == "llama" and self._name:
            pairs = [(self._name, self._name)]
        if not pairs and kind == "openai":
            self.refuse("models", f"needed: {FIELDS['models']}")
        for pair in pairs:
            if not all(isinstance(name, str) and _MODEL.fullmatch(name) for name in pair):
                self.refuse("models", "names are of 1 to 200 visible ASCII characters")
        if len({public for public, _ in pairs}) < len(pairs):
            self.refuse("models", "a name stands there twice")
        return tuple(pairs)

    def _url(self, kind: str) -> str:
        url = self._text("url")
        if kind != "openai" and not url:
            return url
        try:
            base_url(url)
        except Misused as error:
            self.refuse("url", str(error))
        return url

    def _llama(self, kind: str) -> LlamaSpec | None:
        if kind != "llama":
            if "llama" in self._entry:
                self.refuse("llama", "only of kind `llama`")
            return None
        table = self._table("llama", LLAMA_FIELDS)
        gguf = self._path_of("llama.gguf", table.get("gguf", ""))
        if not gguf:
            self.refuse("llama.gguf", "needed: the model's GGUF file")
        adapters = table.get("adapters", {})
        if not isinstance(adapters, Mapping) or not all(_MODEL.fullmatch(name) for name in adapters):
            self.refuse("llama.adapters", "a table of name = GGUF file of a LoRA adapter")
        embedding, pinned = table.get("embedding", "auto"), table.get("pinned", False)
        if embedding not in EMBEDDING:
            self.refuse("llama.embedding", f"one of {', '.join(EMBEDDING)}")
        if not isinstance(pinned, bool):
            self.refuse("llama.pinned", "true or false")
        usual = LlamaSpec(gguf)

        def whole(field: str, least: int, most: int) -> int:
            return self._whole_of(f"llama.{field}", table.get(field, getattr(usual, field)), least, most)

        return LlamaSpec(
            gguf=gguf,
            adapters=tuple((name, self._path_of("llama.adapters", path)) for name, path in adapters.items()),
            context=whole("context", 0, 1 << 24),
            parallel=whole("parallel", 1, 256),
            threads=whole("threads", 0, 1024),
            gpu_layers=whole("gpu_layers", -1, 10_000),
            embedding=str(embedding),
            pinned=pinned,
            memory_mb=whole("memory_mb", 0, 1 << 24),
            cache_mb=whole("cache_mb", 0, 1 << 20),
            chat_template=self._path_of("llama.chat_template", table.get("chat_template", "")),
        )

    def _headers(self) -> tuple[tuple[str, str], ...]:
        value = self._entry.get("headers", {})
        if not isinstance(value, Mapping):
            self.refuse("headers", "a table of header = text")
        for name, text in value.items():
            if not _HEADER.fullmatch(name) or name.lower() in OWN_HEADERS:
                self.refuse("headers", f"no valid name, or one Selat sets: {', '.join(OWN_HEADERS)}")
            if not isinstance(text, str) or not text.isascii() or not text.isprintable():
                self.refuse("headers", "a header's value is printable ASCII")
        return tuple((name, str(text)) for name, text in value.items())

    def _timeouts(self) -> Timeouts:
        table = self._table("timeouts", TIMEOUT_FIELDS)
        return Timeouts(**{f"{key}_s": self._seconds(f"timeouts.{key}", value) for key, value in table.items()})
