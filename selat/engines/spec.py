"""What `engines.toml` says of one engine, as a value."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from selat.core.caller import Site
from selat.core.errors import Misused
from selat.engines.limits import Capacity, Timeouts
from selat.engines.llama.spec import LlamaSpec


@dataclass(frozen=True)
class EngineSpec:
    """One engine as configured. `models` pairs public names with the engine's own.

    The key itself is never here: `key_env` names an environment variable, `key_file` a file.
    """

    name: str
    kind: str
    site: Site
    models: tuple[tuple[str, str], ...] = ()
    url: str = ""
    key_env: str = ""
    key_file: str = ""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    ca_file: str = ""
    health_path: str = "/v1/models"
    weight: int = 1
    timeouts: Timeouts = field(default_factory=Timeouts)
    capacity: Capacity = field(default_factory=Capacity)
    llama: LlamaSpec | None = None

    @cached_property
    def base(self) -> BaseUrl:
        return base_url(self.url)


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """`http(s)://host:port/prefix` in its parts; `host` as it stands in a Host header."""

    secure: bool
    host: str
    port: int
    netloc: str
    prefix: str


def base_url(url: str) -> BaseUrl:
    """The parts of an engine's base URL; without a path, `/v1` is meant. Raises: Misused, naming what is wrong."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Misused("an engine's url has no valid host and port; write it as http://127.0.0.1:8000/v1") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Misused(
            "an engine's url begins with http:// or https:// and names a host, as in http://127.0.0.1:8000/v1"
        )
    if parts.username is not None or parts.query or parts.fragment:
        raise Misused("an engine's url holds no user, query or fragment; keys go in key_env or key_file")
    if not url.isascii() or any(mark <= " " for mark in url):
        raise Misused("an engine's url holds a blank or a letter outside ASCII")
    secure = parts.scheme == "https"
    prefix = parts.path.rstrip("/") or "/v1"
    return BaseUrl(secure, parts.hostname, port or (443 if secure else 80), parts.netloc, prefix)


def tls_context(ca_file: str) -> ssl.SSLContext:
    """A context that verifies certificate and host name, by `ca_file` or the system's store; TLS 1.2 at least.

    Raises: Misused, when `ca_file` holds no certificate.
    """
    if ca_file and not Path(ca_file).is_file():
        raise Misused(f"ca_file {ca_file} is no file")
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except ssl.SSLError:
        raise Misused(f"ca_file {ca_file} holds no PEM certificate") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
