"""Requests as JSON Lines, CSV, Parquet, or OpenTelemetry GenAI spans; never with content."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from itertools import chain

from selat.core.errors import Misused
from selat.ledger.query import COLUMNS, Asked, row_of

_ROWS = 10_000


def to_jsonl(asked: Iterable[Asked]) -> Iterator[bytes]:
    """One JSON object a line."""
    for one in asked:
        yield json.dumps(asdict(one), ensure_ascii=False).encode() + b"\n"


def to_csv(asked: Iterable[Asked]) -> Iterator[bytes]:
    """RFC 4180, a header first. A text that a spreadsheet would take for a formula gets a quote before it."""
    out = io.StringIO()
    writer = csv.writer(out)
    for row in chain([COLUMNS], map(row_of, asked)):
        writer.writerow([f"'{v}" if isinstance(v, str) and v[:1] in tuple("=+-@\t\r") else v for v in row])
        yield out.getvalue().encode()
        out.seek(0)
        out.truncate()


def to_parquet(asked: Iterable[Asked]) -> Iterator[bytes]:
    """A Parquet file, in row groups. Raises: Misused, where pyarrow is not installed."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise Misused(
            "Parquet needs pyarrow: pip install 'selat[parquet]'; or use --format jsonl or csv"
        ) from error
    out, rows = io.BytesIO(), list[Asked]()
    numbers = ("leaf", "closed_leaf", "status", "prompt_tokens", "completion_tokens", "duration_ms")
    schema = pa.schema([(name, pa.int64() if name in numbers else pa.string()) for name in COLUMNS])
    with pq.ParquetWriter(out, schema) as writer:
        for one in asked:
            rows.append(one)
            if len(rows) == _ROWS:
                writer.write_table(pa.Table.from_pylist([asdict(row) for row in rows], schema))
                rows = []
        writer.write_table(pa.Table.from_pylist([asdict(row) for row in rows], schema))
    yield out.getvalue()


def to_spans(asked: Iterable[Asked]) -> Iterator[bytes]:
    """OTLP/JSON, a `resourceSpans` document a line, GenAI conventions (status: development), no content.

    Ids are derived from the receipt id, so that exporting twice gives the same spans.
    """
    for one in asked:
        seed = hashlib.sha256(one.receipt.encode()).hexdigest()
        start = int(datetime.fromisoformat(one.time).timestamp() * 1000) * 1_000_000 if one.time else 0
        span = {
            "traceId": seed[:32],
            "spanId": seed[32:48],
            "name": f"{_operation(one.api)} {one.model}".strip(),
            "kind": 3,
            "startTimeUnixNano": str(start),
            "endTimeUnixNano": str(start + one.duration_ms * 1_000_000),
            "attributes": [_attribute(key, value) for key, value in _attributes(one).items()],
            "status": {"code": 1 if one.outcome == "complete" else 2},
        }
        scope = {"scope": {"name": "selat.ledger"}, "spans": [span]}
        resource = {"attributes": [_attribute("service.name", "selat")]}
        yield json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [scope]}]}).encode() + b"\n"


FORMATS: dict[str, Callable[[Iterable[Asked]], Iterator[bytes]]] = {
    "jsonl": to_jsonl,
    "csv": to_csv,
    "parquet": to_parquet,
    "otlp": to_spans,
}


def _operation(api: str) -> str:
    return {"embeddings": "embeddings", "completions": "text_completion"}.get(api, "chat")


def _attributes(one: Asked) -> dict[str, str | int]:
    return {
        "gen_ai.operation.name": _operation(one.api),
        "gen_ai.provider.name": one.engine,
        "gen_ai.request.model": one.model,
        "gen_ai.usage.input_tokens": one.prompt_tokens,
        "gen_ai.usage.output_tokens": one.completion_tokens,
        "selat.receipt.id": one.receipt,
        "selat.receipt.leaf": one.leaf,
        "selat.tenant": one.tenant,
        "selat.purpose": one.purpose,
        "selat.label": one.label,
        "selat.decision": one.decision,
        "selat.outcome": one.outcome,
    }


def _attribute(key: str, value: str | int) -> dict[str, object]:
    return {"key": key, "value": {"intValue": str(value)} if isinstance(value, int) else {"stringValue": value}}
