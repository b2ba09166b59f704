"""Spans: one server span a request, one client span an attempt; of a voice session one, and one a turn with its stages.

`traceparent` of the caller is the parent; each provider is sent the span of its own attempt. A routed call of a voice
session belongs to the session's trace. Never the global provider of spans: a library that instruments itself would
double them and catch prompts.

The event loop pays for ids and times only: a span is handed over with a way to find its attributes, and the exporting
thread looks. The SDK's own `Span` cleans, copies and locks for spans that anybody may write to; ours are written once.
"""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from opentelemetry import context as contexts
from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from policies import Attempt, Facts, Try
from router.record import Record
from router.version import version

from . import attributes as words

SCHEMA = "https://opentelemetry.io/schemas/1.41.0"
_UNSET = Status(StatusCode.UNSET)
_propagator = TraceContextTextMapPropagator()
_FIELDS = frozenset(_propagator.fields)


@dataclass(slots=True)
class Opened:
    """A span that has begun."""

    context: SpanContext
    parent: SpanContext | None
    kind: SpanKind
    started_ns: int = field(default_factory=time.time_ns)


class Spans:
    """Makes spans. Implements `Tracing` of the core and is told the turns of voice sessions."""

    def __init__(self, processor: SpanProcessor, *, content: bool = False) -> None:
        # OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME win over the name given here
        named = Resource({SERVICE_NAME: "realtime-router", SERVICE_VERSION: version()})
        own = Resource.create()
        self._resource = (
            own.merge(named) if "unknown_service" in str(own.attributes[SERVICE_NAME]) else named.merge(own)
        )
        self._scope = InstrumentationScope("realtime-router", version(), SCHEMA)
        chosen = TracerProvider(shutdown_on_exit=False)  # asked what the environment wants: OTEL_TRACES_SAMPLER
        self._sampler, self._ids = chosen.sampler, chosen.id_generator
        self._longest = SpanLimits().max_span_attribute_length
        self._processor = processor
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
        opened = self.open(_around(headers), SpanKind.SERVER)
        return RequestSpan(self, opened, record, facts if self._content else None)

    @contextlib.contextmanager
    def session(self, headers: Mapping[bytes, bytes]) -> Iterator[None]:
        """A voice session: everything called inside is a part of its trace."""
        shown = {name: headers[name.encode()].decode("latin-1") for name in _FIELDS if name.encode() in headers}
        opened = self.open(_around(shown), SpanKind.SERVER)
        token = contexts.attach(set_span_in_context(NonRecordingSpan(opened.context)))
        try:
            yield
        finally:
            contexts.detach(token)
            self.end(opened, "realtime session", dict)

    def turn(self, stages: Mapping[str, tuple[float, float]]) -> None:
        """A voice turn was answered. `stages`: name -> begin and end, as seconds ago; `first_audio` is the whole."""
        now_ns = time.time_ns()
        whole = self.open(contexts.get_current(), SpanKind.INTERNAL)
        for name, (from_s, to_s) in stages.items():
            part = whole if name == "first_audio" else self.below(whole, SpanKind.INTERNAL)
            part.started_ns = now_ns - int(from_s * 1e9)
            ended_ns = now_ns - int(to_s * 1e9)
            if part is whole:
                self.end(whole, "voice turn", dict, ended_ns=ended_ns)
            else:
                self.end(part, f"voice {name}", partial(dict, {"rr.stage": name}), ended_ns=ended_ns)

    def open(self, around: Context, kind: SpanKind) -> Opened:
        """A span below the one of a context, sampled as the environment says; without one a trace of its own."""
        parent = get_current_span(around).get_span_context()
        known = parent if parent.is_valid else None
        trace_id = self._ids.generate_trace_id() if known is None else known.trace_id
        said = self._sampler.should_sample(around, trace_id, "", kind)
        random = self._ids.is_trace_id_random() if known is None else known.trace_flags.random_trace_id
        sampled = TraceFlags.SAMPLED if said.decision is Decision.RECORD_AND_SAMPLE else TraceFlags.DEFAULT
        flags = TraceFlags(sampled | random * TraceFlags.RANDOM_TRACE_ID)
        span_id = self._ids.generate_span_id()
        return Opened(SpanContext(trace_id, span_id, False, flags, said.trace_state), known, kind)

    def below(self, parent: Opened, kind: SpanKind) -> Opened:
        """A span inside one of ours: of its trace, and sampled when that is."""
        above = parent.context
        span_id = self._ids.generate_span_id()
        context = SpanContext(above.trace_id, span_id, False, above.trace_flags, above.trace_state)
        return Opened(context, above, kind)

    def end(
        self,
        opened: Opened,
        name: str,
        attributes: Callable[[], words.Attributes],
        *,
        error: str | None = None,
        ended_ns: int | None = None,
    ) -> None:
        """Hand a span over for export, if it is sampled. `attributes` is called by the exporting thread, once."""
        if opened.context.trace_flags.sampled:
            span = ReadableSpan(
                name,
                opened.context,
                opened.parent,
                self._resource,
                Told(attributes, self._longest),
                kind=opened.kind,
                status=_UNSET if error is None else Status(StatusCode.ERROR, error),
                start_time=opened.started_ns,
                end_time=time.time_ns() if ended_ns is None else ended_ns,
                instrumentation_scope=self._scope,
            )
            self._processor.on_end(span)

    def close(self) -> None:
        """Export what is left; may block for some seconds."""
        self._processor.shutdown()


class Told(Mapping[str, words.Value]):
    """Attributes that are put together when somebody looks at them."""

    __slots__ = ("_ask", "_longest", "_made")

    def __init__(self, ask: Callable[[], words.Attributes], longest: int | None) -> None:
        self._ask = ask
        self._longest = longest
        self._made: words.Attributes | None = None

    def _known(self) -> words.Attributes:
        if self._made is None:
            made, longest = self._ask(), self._longest
            if longest is not None:
                made = {name: value[:longest] if isinstance(value, str) else value for name, value in made.items()}
            self._made = made
        return self._made

    def __getitem__(self, name: str) -> words.Value:
        """One of them."""
        return self._known()[name]

    def __iter__(self) -> Iterator[str]:
        """Their names."""
        return iter(self._known())

    def __len__(self) -> int:
        """How many."""
        return len(self._known())


class RequestSpan:
    """One request under way. Implements `Trace` of the core."""

    __slots__ = ("_attempt", "_attempts", "_opened", "_record", "_shown", "_spans")

    def __init__(self, spans: Spans, opened: Opened, record: Record, shown: Facts | None) -> None:
        self._spans = spans
        self._opened = opened
        self._record = record
        self._shown = shown  # whose prompt may be seen
        self._attempt: Opened | None = None  # the last that went out
        self._attempts: dict[str, tuple[Opened, int]] = {}  # by target: two may race
        context = opened.context
        if context.trace_flags.sampled:
            record.trace_id = f"{context.trace_id:032x}"

    def begin(self, step: Try) -> None:
        """A call goes out."""
        self._attempt = self._spans.below(self._opened, SpanKind.CLIENT)
        self._attempts[step.target.name] = self._attempt, len(self._record.attempts)

    def headers(self, passed: Mapping[str, str]) -> Mapping[str, str]:
        """The headers to pass on, with the attempt's own `traceparent`."""
        carrier = {name: value for name, value in passed.items() if name not in _FIELDS}
        if self._attempt is not None:
            context = self._attempt.context
            carrier["traceparent"] = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"
            if context.trace_state:
                carrier["tracestate"] = context.trace_state.to_header()
        return carrier

    def settle(self, attempt: Attempt) -> None:
        """The call ended."""
        known = self._attempts.pop(attempt.target.name, None)
        if known is not None:
            opened, number = known
            record = self._record
            name = f"{words.operation_of(record.kind)} {attempt.target.model}"
            error = words.error_of(attempt.outcome)
            self._spans.end(opened, name, partial(words.of_attempt, attempt, record, number), error=error)

    def finish(self, record: Record) -> None:
        """The request is over."""
        name = f"{words.operation_of(record.kind)} {record.decision.requested[:200]}"
        error = None if record.outcome is None else words.error_of(record.outcome)
        self._spans.end(self._opened, name, partial(words.of_request, record, self._shown), error=error)


def _around(headers: Mapping[str, str]) -> Context:
    """The caller's span, else the voice session's, else none."""
    return _propagator.extract(headers, contexts.get_current()) if "traceparent" in headers else contexts.get_current()
