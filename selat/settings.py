"""Every setting with its default and meaning, read once from `selat.toml` in the home and the environment."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

from selat.core.errors import HomeBroken

FILE = "selat.toml"
PREFIX = "SELAT_"
# Variables of ours that are no settings.
_NOT_SETTINGS = frozenset({"SELAT_HOME", "SELAT_DEBUG", "SELAT_SHARED_DATA"})


CHOICES = {
    "check_unsupported": ("mark", "drop"),
    "ledger_durable_before": ("forward", "answer"),
    "log_format": ("auto", "json", "text"),
    "log_level": ("debug", "info", "warning", "error"),
    "policy_unproved": ("refuse", "allow"),
}


def _setting(default: str | int | float | bool, meaning: str) -> object:
    return field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True, slots=True)
class Settings:
    """The table. A name here is a key in `selat.toml` and, in capitals after `SELAT_`, an environment variable."""

    host: str = _setting("127.0.0.1", "Address the gateway listens on.")  # type: ignore[assignment]
    port: int = _setting(7352, "Port the gateway listens on; 0 takes a free one.")  # type: ignore[assignment]
    tls_certificate_file: str = _setting("", "PEM chain; with it the gateway speaks TLS to callers.")  # type: ignore[assignment]
    tls_key_file: str = _setting("", "PEM private key of that certificate.")  # type: ignore[assignment]
    workers: int = _setting(1, "Gateway processes that share the port.")  # type: ignore[assignment]
    body_limit_bytes: int = _setting(8_388_608, "Largest request body.")  # type: ignore[assignment]
    head_timeout_s: float = _setting(15.0, "Longest wait for a request's head.")  # type: ignore[assignment]
    body_timeout_s: float = _setting(60.0, "Longest wait for a request's body.")  # type: ignore[assignment]
    log_format: str = _setting("auto", "`json`, `text`, or `auto`: text on a terminal, else JSON lines.")  # type: ignore[assignment]
    log_level: str = _setting("info", "Least level that is logged: `debug`, `info`, `warning` or `error`.")  # type: ignore[assignment]
    log_requests: float = _setting(
        0.0, "Share of requests that get a line of their own in the log, 0 to 1. Failures always get one."
    )  # type: ignore[assignment]
    otel_endpoint: str = _setting(
        "", "OTLP/HTTP endpoint that spans go to, as http://127.0.0.1:4318; empty: none are made. Extra `otel`."
    )  # type: ignore[assignment]
    otel_share: float = _setting(1.0, "Share of requests without a trace of the caller's that get spans, 0 to 1.")  # type: ignore[assignment]
    upload_limit_bytes: int = _setting(200_000_000, "Largest document that may be sent in.")  # type: ignore[assignment]
    upload_timeout_s: float = _setting(600.0, "Longest wait for a document to arrive.")  # type: ignore[assignment]
    hedge_after_s: float = _setting(
        0.0,
        "Seconds an engine may take to begin before another that the decision allows is asked too; 0 never."
        " Every such ask is booked and may cost twice.",
    )  # type: ignore[assignment]
    site_jurisdiction: str = _setting("MY", "Where this machine stands, ISO 3166-1 alpha-2.")  # type: ignore[assignment]
    site_operator: str = _setting("self", "Who operates this machine.")  # type: ignore[assignment]
    site_hardware: str = _setting("cpu", "Vendor of the hardware that models run on here.")  # type: ignore[assignment]
    models_memory_mb: int = _setting(
        0, "Most memory for the models that Selat runs itself, together; 0: nine tenths of the machine's."
    )  # type: ignore[assignment]
    console_url: str = _setting(
        "", "Address that browsers reach the console at, as https://ai.example.my; else what they ask for."
    )  # type: ignore[assignment]
    console_idle_min: int = _setting(120, "Minutes after which an idle person is signed out of the console.")  # type: ignore[assignment]
    console_session_h: int = _setting(12, "Hours after which a person signs in to the console again.")  # type: ignore[assignment]
    answer_engine: str = _setting("extractive", "Model that answers from documents.")  # type: ignore[assignment]
    knowledge_database: str = _setting(
        "", "PostgreSQL for documents and their index, as postgresql://HOST/NAME; else files in the home."
    )  # type: ignore[assignment]
    embed_model: str = _setting(
        "",
        "Model that searches by meaning: a folder with model.onnx and tokenizer.json, or `engine:MODEL`. "
        "Without one, full text alone. Then: selat index rebuild.",
    )  # type: ignore[assignment]
    embed_weight: float = _setting(
        0.3, "What the nearest passage by meaning adds to its score by words (0 to about 3); 1 for a strong model."
    )  # type: ignore[assignment]
    rerank_model: str = _setting(
        "", "Model that orders the best passages anew: a folder of a cross-encoder (ONNX), or `engine:MODEL`."
    )  # type: ignore[assignment]
    rerank_timeout_s: float = _setting(
        5.0, "Longest wait for an engine that ranks, a search; then passages stay in the order of their scores."
    )  # type: ignore[assignment]
    rewrite_model: str = _setting("", "Model that writes follow-up questions out before a search; empty: none.")  # type: ignore[assignment]
    suppose_model: str = _setting(
        "", "Model that supposes an answer whose nearness counts in a search (HyDE); empty: none."
    )  # type: ignore[assignment]
    check_model: str = _setting(
        "",
        "Model that judges whether a source says what an answer cites it for: a folder or a model on the shelf "
        "(ONNX, trained on entailment), or `engine:MODEL`. Without one, by wording alone.",
    )  # type: ignore[assignment]
    check_unsupported: str = _setting(
        "mark", "What becomes of a cited sentence that no source of its own holds up: `mark` it [?], or `drop` it."
    )  # type: ignore[assignment]
    check_timeout_s: float = _setting(10.0, "Longest wait for that model, an answer; then wording decides.")  # type: ignore[assignment]
    guard_detectors: str = _setting(
        "", "Further detectors, by comma: `presidio`, `presidio=SPACY_PIPELINE`, `gliner=FOLDER`, or a plugin's."
    )  # type: ignore[assignment]
    guard_mask_answers: str = _setting(
        "", "Kinds masked in answers where the caller did not send them, by comma, or `all`; empty: only booked."
    )  # type: ignore[assignment]
    model_hub: str = _setting(
        "https://huggingface.co", "Hub that models are pulled from: any server that speaks its protocol."
    )  # type: ignore[assignment]
    model_upstream: str = _setting(
        "", "Hub from which the mirror fetches allowed models that it lacks, into quarantine. Empty: none."
    )  # type: ignore[assignment]
    model_upstream_allow: str = _setting(
        "", "Models that it may fetch from there, by pattern and comma, as in aisingapore/*,Qwen/Qwen3-8B."
    )  # type: ignore[assignment]
    model_store: str = _setting(
        "",
        "Object store for models, as s3://BUCKET/PREFIX; several machines may share it. Else files in the home.",
    )  # type: ignore[assignment]
    model_store_endpoint: str = _setting("https://s3.amazonaws.com", "URL of that object store's S3 API.")  # type: ignore[assignment]
    model_store_region: str = _setting("us-east-1", "Region that requests to it are signed for.")  # type: ignore[assignment]
    model_cache_mb: int = _setting(
        100_000, "Most that this machine copies of models in an object store, for engines that open files."
    )  # type: ignore[assignment]
    model_signers: str = _setting(
        "",
        "PEM files of public keys and of authorities whose signatures of models count, by comma, in the home.",
    )  # type: ignore[assignment]
    model_require_signed: str = _setting(
        "", "Models that come onto the shelf only when signed by one of them, by pattern and comma; `*` is all."
    )  # type: ignore[assignment]
    database: str = _setting(
        "",
        "URL of the database of keys and quotas, as postgresql+psycopg://HOST/NAME; else SQLite in the home.",
    )  # type: ignore[assignment]
    policy_unproved: str = _setting(
        "refuse", "Policies outside the provable subset: `refuse`, or `allow` and mark receipts `not proved`."
    )  # type: ignore[assignment]
    ledger_durable_before: str = _setting(
        "forward", "When the opening entry must be on disk: `forward` (before the prompt leaves) or `answer`."
    )  # type: ignore[assignment]
    ledger_database: str = _setting(
        "",
        "PostgreSQL for the journals and salts of several nodes: postgresql://HOST/NAME. Else files in the home.",
    )  # type: ignore[assignment]
    ledger_tiles: str = _setting(
        "", "Object store for the log's tiles and checkpoint, as s3://BUCKET/PREFIX. Else files in the home."
    )  # type: ignore[assignment]
    ledger_tiles_endpoint: str = _setting("https://s3.amazonaws.com", "URL of that object store's S3 API.")  # type: ignore[assignment]
    ledger_tiles_region: str = _setting("us-east-1", "Region that requests to it are signed for.")  # type: ignore[assignment]
    ledger_origin: str = _setting("", "Name of a new log, like ledger.example.my; else selat.local/ and chance.")  # type: ignore[assignment]
    ledger_keep_days: int = _setting(0, "Days that salts are kept; then they are erased. 0 keeps them.")  # type: ignore[assignment]
    jobs_pool: str = _setting(
        "local",
        "Where long work is done: `local`, `processes:NUMBER`, `ray:NUMBER`, or `ray:auto` on a cluster's node.",
    )  # type: ignore[assignment]
    ledger_seal_every_ms: int = _setting(1000, "Longest wait between an entry and its checkpoint.")  # type: ignore[assignment]


def read_settings(home: Path, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of a home. An unknown key or a wrong type stops start-up.

    Raises: HomeBroken, naming the key, the value and what is allowed.
    """
    environment = os.environ if environment is None else environment
    known = {setting.name: setting for setting in fields(Settings)}
    found: dict[str, object] = {}
    path = home / FILE
    if path.exists():
        try:
            found.update(tomllib.loads(path.read_text("utf-8")))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise HomeBroken(f"{FILE} is not valid TOML: {error}. Mend or remove it") from error
    for name, text in environment.items():
        if name.startswith(PREFIX) and name not in _NOT_SETTINGS:
            found[name.removeprefix(PREFIX).lower()] = text
    values: dict[str, object] = {}
    for name, value in found.items():
        if name not in known:
            raise HomeBroken(f"unknown setting '{name}'; known: {', '.join(known)}")
        values[name] = _typed(name, value, type(known[name].default))
    settings = Settings(**values)  # type: ignore[arg-type]
    for name, allowed in CHOICES.items():
        if getattr(settings, name) not in allowed:
            raise HomeBroken(f"setting {name}: write {' or '.join(repr(one) for one in allowed)}")
    for name in ("log_requests", "otel_share"):
        if not 0 <= getattr(settings, name) <= 1:
            raise HomeBroken(f"setting {name}: write a share from 0 to 1")
    if settings.otel_endpoint and not settings.otel_endpoint.startswith(("http://", "https://")):
        raise HomeBroken("setting otel_endpoint: write a URL, as http://127.0.0.1:4318")
    return settings


def _typed(name: str, value: object, kind: type) -> object:
    try:
        if kind is float and isinstance(value, int | float | str):
            return float(value)
        if kind is int and isinstance(value, int | str) and not isinstance(value, bool):
            return int(value)
    except ValueError:
        pass
    if kind is str and isinstance(value, str):
        return value
    wanted = {int: "a whole number", float: "a number"}.get(kind, "text")
    raise HomeBroken(
        f"setting {name}: {value!r} is not {wanted}; mend selat.toml, or the variable SELAT_{name.upper()}"
    )
