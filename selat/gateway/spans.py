"""OpenTelemetry spans of requests, where they are switched on: GenAI conventions, no content.

Imports the extra `otel`; nothing else does, so that a gateway without it neither needs nor pays for it.
Source: OpenTelemetry semantic conventions for GenAI (status: development) and HTTP; W3C Trace Context.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from selat import __version__
from selat.core.entry import Closing, Opening
from selat.core.errors import SelatError
from selat.core.timing import Timing
from selat.gateway.http import Request
from selat.gateway.logs import HUNG_UP

TRACES = "/v1/traces"
LATE = "hedged"
"""Why the span of a try ends that another engine was faster than."""
_OPERATIONS = {"embeddings": "embeddings", "completions": "text_completion"}
_propagator = TraceContextTextMapPropagator()


class Spans:
    """Makes spans and sends them, in batches and in a thread of its own, to an OTLP/HTTP endpoint.

    `share` of the requests that come without a trace of the caller's get spans; with one, the caller decides.
    Headers for the endpoint come from OTEL_EXPORTER_OTLP_HEADERS, as for every OpenTelemetry program.
    """

    def __init__(self, endpoint: str, share: float, worker: str) -> None:
        about = {"service.name": "selat", "service.version": __version__, "service.instance.id": worker}
        self._provider = TracerProvider(
            resource=Resource.create(about), sampler=ParentBased(TraceIdRatioBased(share)), shutdown_on_exit=False
        )
        exporter = OTLPSpanExporter(endpoint=endpoint.rstrip("/") + TRACES)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("selat.gateway", __version__)

    @contextlib.contextmanager
    def request(self, request: Request) -> Iterator[RequestSpans]:
        """The spans of one request, ended with it."""
        # The caller's trace is joined; its tracestate is its own words, and goes no further.
        told = {"traceparent": request.headers.get(b"traceparent", b"").decode("latin-1")}
        clock_ns = time.time_ns() - int(time.monotonic() * 1e9)
        root = self._tracer.start_span(
            f"{request.method} {request.path}",
            context=_propagator.extract(told),
            kind=SpanKind.SERVER,
            attributes={
                "http.request.method": request.method,
                "http.route": request.path,
                "selat.request.id": request.id,
            },
            start_time=clock_ns + int(request.arrived * 1e9),
        )
        spans = RequestSpans(self._tracer, root, clock_ns)
        reason = ""
        try:
            yield spans
        except SelatError as error:
            reason, status = error.code, error.status
            raise
        except BaseException as error:
            reason, status = type(error).__name__, HUNG_UP if not isinstance(error, Exception) else 500
            raise
        else:
            status = request.status
        finally:
            root.set_attribute("http.response.status_code", request.status or status)
            _end(root, reason or (str(status) if status >= 500 else ""), None)

    def close(self) -> None:
        """Send what is left, for a few seconds at most; blocks."""
        self._provider.shutdown()


class RequestSpans:
    """A Trace: a server span, one for each step of ours, and a client span for each try at an engine."""

    def __init__(self, tracer: Tracer, root: Span, clock_ns: int) -> None:
        self._tracer, self._root, self._clock_ns = tracer, root, clock_ns
        self._inside = set_span_in_context(root)
        self._calls: dict[str, tuple[Span, float]] = {}

    def sending(self, engine: str, model: str) -> str:
        now = time.monotonic()
        call = self._start(model, SpanKind.CLIENT, now)
        call.set_attributes({"gen_ai.provider.name": engine, "gen_ai.request.model": model})
        self._calls[engine] = call, now
        context = call.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"

    def failed(self, engine: str, reason: str) -> None:
        _end(self._calls.pop(engine)[0], reason, None)

    def ended(self, timing: Timing, opening: Opening, closing: Closing | None) -> None:
        for name, start, end in (
            ("scan", timing.begun, timing.scanned),
            ("decide", timing.scanned, timing.decided),
            ("book", timing.decided, timing.booked),
        ):
            if start and end:
                self._start(name, SpanKind.INTERNAL, start).end(self._ns(end))
        self._root.set_attributes(_about(opening))
        call, sent = self._calls.pop(timing.engine, (None, 0.0))
        for late, _ in self._calls.values():
            _end(late, LATE, None)
        if call is None or closing is None:
            return
        operation = _OPERATIONS.get(opening.about.api, "chat")
        call.update_name(f"{operation} {opening.about.model}")
        call.set_attributes(
            {
                **_about(opening),
                "gen_ai.operation.name": operation,
                "gen_ai.usage.input_tokens": closing.usage.prompt,
                "gen_ai.usage.output_tokens": closing.usage.completion,
                "selat.outcome": closing.outcome,
                "selat.label": str(closing.label),
            }
        )
        if timing.first:
            call.set_attribute("gen_ai.response.time_to_first_chunk", timing.first - sent)
        wrong = closing.outcome if closing.outcome != "complete" else ""
        _end(call, wrong or (str(closing.status) if closing.status >= 400 else ""), self._ns(timing.ended))

    def _start(self, name: str, kind: SpanKind, at: float) -> Span:
        at_ns = self._ns(at)
        span: Span = self._tracer.start_span(name, context=self._inside, kind=kind, start_time=at_ns)
        return span

    def _ns(self, moment: float) -> int:
        """Nanoseconds since 1970 of a moment on the monotonic clock."""
        return self._clock_ns + int(moment * 1e9)


def _about(opening: Opening) -> dict[str, str | tuple[str, ...]]:
    return {
        "selat.receipt.id": opening.id,
        "selat.tenant": opening.about.tenant,
        "selat.purpose": opening.about.purpose,
        "selat.decision": opening.about.decision.effect,
        "selat.rules": opening.about.decision.rules,
    }


def _end(span: Span, reason: str, at_ns: int | None) -> None:
    if reason:
        span.set_attribute("error.type", reason)
        span.set_status(Status(StatusCode.ERROR))
    span.end(at_ns)
