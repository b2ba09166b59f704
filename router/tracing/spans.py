"""Spans: one server span a request, one client span an attempt; of a voice session one, and one a turn with its stages.

`traceparent` of the caller is the parent; each provider is sent the span of its own attempt. A routed call of a voice
session belongs to the session's trace. Our own provider of spans, never the global one: a library that instruments
itself would double them and catch prompts.
"""

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping

from opentelemetry import context as contexts
from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from policies import Attempt, Facts, Try
from router.record import Record
from router.version import version

from . import attributes as words

SCHEMA = "https://opentelemetry.io/schemas/1.41.0"
_propagator = TraceContextTextMapPropagator()


class Spans:
    """Makes spans. Implements `Tracing` of the core and is told the turns of voice sessions."""

    def __init__(self, processor: SpanProcessor, *, content: bool = False) -> None:
        # OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME win over the name given here; OTEL_TRACES_SAMPLER is obeyed
        named = Resource({SERVICE_NAME: "realtime-router", SERVICE_VERSION: version()})
        own = Resource.create()
        resource = own.merge(named) if "unknown_service" in str(own.attributes[SERVICE_NAME]) else named.merge(own)
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer: Tracer = self._provider.get_tracer("realtime-router", version(), schema_url=SCHEMA)
        self._content = content

    @classmethod
    def exported(cls, exporter: str, *, content: bool = False) -> "Spans":
        """To an OTLP collector over HTTP, or to the console. Raises ImportError without the extra."""
        if exporter == "console":
            return cls(BatchSpanProcessor(ConsoleSpanExporter(out=sys.stderr)), content=content)
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415  slow

        return cls(BatchSpanProcessor(OTLPSpanExporter()), content=content)

    def begin(self, record: Record, facts: Facts, headers: Mapping[str, str]) -> "RequestSpan":
        """A request was decided."""
        attributes = words.begun(record) | (words.prompt(facts.messages) if self._content else {})
        name = f"{words.operation_of(record.kind)} {record.decision.requested[:200]}"
        span = self._tracer.start_span(name, _parent(headers), SpanKind.SERVER, attributes)
        return RequestSpan(self._tracer, span, record)

    @contextlib.contextmanager
    def session(self, headers: Mapping[bytes, bytes]) -> Iterator[None]:
        """A voice session: everything called inside is a part of its trace."""
        shown = {
            name: headers[name.encode()].decode("latin-1") for name in _propagator.fields if name.encode() in headers
        }
        span = self._tracer.start_span("realtime session", _parent(shown), SpanKind.SERVER)
        token = contexts.attach(set_span_in_context(span))
        try:
            yield
        finally:
            contexts.detach(token)
            span.end()

    def turn(self, stages: Mapping[str, tuple[float, float]]) -> None:
        """A voice turn was answered. `stages`: name -> begin and end, as seconds ago; `first_audio` is the whole."""
        now_ns = time.time_ns()

        def at_ns(ago_s: float) -> int:
            return now_ns - int(ago_s * 1e9)

        begin_s, end_s = stages["first_audio"]
        whole = self._tracer.start_span("voice turn", kind=SpanKind.INTERNAL, start_time=at_ns(begin_s))
        inside = set_span_in_context(whole)
        for name, (from_s, to_s) in stages.items():
            if name != "first_audio":
                span = self._tracer.start_span(f"voice {name}", inside, start_time=at_ns(from_s))
                span.set_attribute("rr.stage", name)
                span.end(at_ns(to_s))
        whole.end(at_ns(end_s))

    def close(self) -> None:
        """Export what is left; may block for some seconds."""
        self._provider.shutdown()


class RequestSpan:
    """One request under way. Implements `Trace` of the core."""

    __slots__ = ("_attempt", "_attempts", "_context", "_record", "_span", "_tracer")

    def __init__(self, tracer: Tracer, span: Span, record: Record) -> None:
        self._tracer = tracer
        self._span = span
        self._context = set_span_in_context(span, Context())
        self._record = record
        self._attempt: Span | None = None  # the last that went out
        self._attempts: dict[str, Span] = {}  # by target: two may race
        seen = span.get_span_context()
        if seen.trace_flags.sampled:
            record.trace_id = f"{seen.trace_id:032x}"

    def begin(self, step: Try) -> None:
        """A call goes out."""
        kind, target = self._record.kind, step.target
        self._attempt = self._attempts[target.name] = self._tracer.start_span(
            f"{words.operation_of(kind)} {target.model}",
            self._context,
            SpanKind.CLIENT,
            words.called(target, kind, len(self._record.attempts)),
        )

    def headers(self, passed: Mapping[str, str]) -> Mapping[str, str]:
        """The headers to pass on, with the attempt's own `traceparent`."""
        carrier = {name: value for name, value in passed.items() if name not in _propagator.fields}
        if self._attempt is not None:
            _propagator.inject(carrier, set_span_in_context(self._attempt, Context()))
        return carrier

    def settle(self, attempt: Attempt) -> None:
        """The call ended."""
        span = self._attempts.pop(attempt.target.name, None)
        if span is not None:
            _end(span, words.settled(attempt) | (words.used(self._record) if attempt.success else {}))

    def finish(self, record: Record) -> None:
        """The request is over."""
        _end(self._span, words.finished(record))


def _end(span: Span, attributes: words.Attributes) -> None:
    span.set_attributes(attributes)
    error = attributes.get("error.type")
    if error is not None:
        span.set_status(Status(StatusCode.ERROR, str(error)))
    span.end()


def _parent(headers: Mapping[str, str]) -> Context:
    """The caller's span, else the voice session's, else none."""
    return _propagator.extract(headers, contexts.get_current()) if "traceparent" in headers else contexts.get_current()
