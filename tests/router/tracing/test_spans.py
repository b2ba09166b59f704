"""Traces as a collector would get them: spans of a request and its attempts, context in and out, no content."""

import asyncio

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.trace import SpanKind, StatusCode

from policies import Limits, Policy, Route, RoutingTable, Targets
from router import Router, State
from router.refusal import Refusal
from router.router import Caller
from router.tracing.attributes import PROVIDERS, prompt
from router.tracing.spans import Spans, Told
from router.upstreams.scripted import ScriptedUpstream
from tests.router.house import MESSAGES, QUICK
from tests.router.proxy.house import variant

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


class Traced:
    """A traced router over the scripted upstream."""

    def __init__(self, *, content=False, policies=(), gap_s=0.0):
        self.exporter = InMemorySpanExporter()
        self.spans = Spans(SimpleSpanProcessor(self.exporter), content=content)
        self.upstream = ScriptedUpstream(gap_s=gap_s, time_scale=0.02)
        self.sent = []
        table = RoutingTable(Targets(("scripted",)), policies, limits=Limits(timeouts=QUICK))
        self.router = Router(State(table, {"scripted": self}), tracing=self.spans)

    async def send(self, call):
        self.sent.append(call)
        return await self.upstream.send(call)

    async def aclose(self):
        """Nothing to release."""

    def finished(self):
        return {span.name: span for span in self.exporter.get_finished_spans()}


def document(*models, **fields):
    first, *others = [f"scripted/{model}" for model in models]
    return {"model": first, "models": others, "messages": MESSAGES, **fields}


async def test_a_request_with_a_fallback_is_one_server_span_and_one_client_span_an_attempt():
    house = Traced()
    completion = await house.router.complete(document("500", "ok"), Caller(request_id="req-7"))
    spans = house.finished()
    server, failed, served = spans["chat scripted/500"], spans["chat 500"], spans["chat ok"]
    assert [span.kind for span in (server, failed, served)] == [SpanKind.SERVER, SpanKind.CLIENT, SpanKind.CLIENT]
    assert {span.parent.span_id for span in (failed, served)} == {server.context.span_id}
    assert failed.status.status_code is StatusCode.ERROR
    assert failed.attributes["error.type"] == "http_5xx"
    assert failed.attributes["http.response.status_code"] == 500
    assert served.attributes["gen_ai.provider.name"] == "scripted"
    assert served.attributes["rr.attempt.index"] == 1
    assert served.attributes["gen_ai.usage.output_tokens"] > 0
    assert server.attributes["gen_ai.operation.name"] == "chat"
    assert server.attributes["gen_ai.response.model"] == "scripted/ok"
    assert server.attributes["rr.request.id"] == "req-7"
    assert server.attributes["rr.attempts"] == 2
    assert server.status.status_code is StatusCode.UNSET
    assert completion.record.trace_id == f"{server.context.trace_id:032x}"


async def test_the_callers_context_comes_in_and_each_provider_gets_its_own_attempt():
    house = Traced()
    headers = {"traceparent": PARENT, "tracestate": "vendor=1"}
    await house.router.complete(document("500", "ok"), Caller(headers=headers))
    spans = house.finished()
    assert {f"{span.context.trace_id:032x}" for span in spans.values()} == {TRACE}
    assert f"{spans['chat scripted/500'].parent.span_id:016x}" == PARENT.split("-")[2]
    parents = [call.headers["traceparent"].split("-")[2] for call in house.sent]
    assert parents == [f"{spans[name].context.span_id:016x}" for name in ("chat 500", "chat ok")]
    assert house.sent[0].headers["tracestate"] == "vendor=1"


async def test_an_unsampled_caller_stays_unsampled_and_is_still_passed_on():
    house = Traced()
    completion = await house.router.complete(document("ok"), Caller(headers={"traceparent": PARENT[:-1] + "0"}))
    assert house.finished() == {}
    assert completion.record.trace_id is None
    assert house.sent[0].headers["traceparent"].startswith(f"00-{TRACE}-")
    assert house.sent[0].headers["traceparent"].endswith("-00")


async def test_streams_say_when_their_first_chunk_came():
    house = Traced()
    stream = await house.router.stream(document("ok", stream=True))
    while await stream.read():
        pass
    spans = house.finished()
    assert spans["chat ok"].attributes["gen_ai.response.time_to_first_chunk"] >= 0
    assert spans["chat ok"].attributes["gen_ai.request.stream"] is True
    house = Traced()
    await house.router.complete(document("ok"))
    told = {name for span in house.exporter.get_finished_spans() for name in span.attributes}
    assert not told & {"gen_ai.response.time_to_first_chunk", "gen_ai.request.stream"}
    assert spans["chat ok"].parent.span_id == spans["chat scripted/ok"].context.span_id


async def test_what_nobody_answered_ends_as_an_error_and_what_was_hung_up_does_not():
    house = Traced(gap_s=0.05)
    with pytest.raises(Refusal):
        await house.router.complete(document("500"))
    assert house.finished()["chat scripted/500"].status.status_code is StatusCode.ERROR
    stream = await house.router.stream(document("ok", stream=True))
    stream.close()
    assert house.finished()["chat scripted/ok"].status.status_code is StatusCode.UNSET
    assert house.finished()["chat ok"].attributes["rr.outcome"] == "cancelled_by_client"


async def test_decisions_of_a_router_are_told():
    split = Route("split", (variant("a", 50, "scripted/ok"), variant("b", 50, "scripted/ok")))
    house = Traced(policies=[Policy("support", default=split)])
    await house.router.complete({"model": "router/support", "messages": MESSAGES, "user": "u"})
    attributes = house.finished()["chat router/support"].attributes
    assert (attributes["rr.router"], attributes["rr.route.id"]) == ("support", "split")
    assert attributes["rr.variant.id"] in "ab"
    assert attributes["rr.decision.reason"] == "weight"
    attempt = house.finished()["chat ok"].attributes
    assert (attempt["rr.route.id"], attempt["rr.variant.id"]) == ("split", attributes["rr.variant.id"])


async def test_attributes_are_put_together_by_who_exports_and_not_by_the_request():
    asked = []
    told = Told(lambda: asked.append(1) or {"a": "text", "n": 1}, None)
    assert asked == []
    assert (dict(told), len(told), asked) == ({"a": "text", "n": 1}, 2, [1])


async def test_long_values_are_cut_where_the_environment_says_so(monkeypatch):
    monkeypatch.setenv("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "5")
    house = Traced()
    await house.router.complete(document("ok"))
    attributes = house.finished()["chat ok"].attributes
    assert attributes["gen_ai.provider.name"] == "scrip"
    assert attributes["rr.attempt.index"] == 0


@pytest.mark.parametrize(("ratio", "spans"), [("0.0", 0), ("1.0", 2)])
async def test_an_attempt_is_sampled_with_its_request(monkeypatch, ratio, spans):
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", ratio)
    house = Traced()
    await house.router.complete(document("ok"))
    assert len(house.finished()) == spans
    assert int(house.sent[0].headers["traceparent"][-2:], 16) & 1 == (1 if spans else 0)


@pytest.mark.parametrize("content", [True, False])
async def test_prompts_are_shown_only_where_that_was_switched_on(content):
    house = Traced(content=content)
    await house.router.complete(document("ok"))
    every = [str(dict(span.attributes)) for span in house.exporter.get_finished_spans()]
    assert any("hello" in text for text in every) is content


async def test_every_name_of_the_conventions_is_one_of_theirs():
    house = Traced(content=True)
    for stream in (True, False):
        await house.router.complete(document("500", "ok", stream=stream))
    told = {name for span in house.exporter.get_finished_spans() for name in span.attributes}
    theirs = {name for name in vars(gen_ai_attributes).values() if isinstance(name, str)}
    assert {name for name in told if name.startswith("gen_ai.")} <= theirs
    known = {one.value for one in gen_ai_attributes.GenAiProviderNameValues}
    assert set(PROVIDERS.values()) <= known


def test_prompts_are_told_as_the_conventions_write_them():
    shown = prompt([{"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image_url"}]}])
    assert shown == {"gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]'}
    assert prompt([{"role": "tool"}]) == {"gen_ai.input.messages": '[{"role": "tool", "parts": []}]'}


async def test_a_voice_session_holds_its_calls_and_its_turns_with_their_stages():
    house = Traced()
    with house.spans.session({b"traceparent": PARENT.encode()}):
        async with asyncio.TaskGroup() as group:
            group.create_task(house.router.complete(document("ok"), Caller(protocol="realtime")))
        stages = {"speech_end": (0.9, 0.7), "stt_final": (0.7, 0.4), "first_audio": (0.9, 0.1)}
        house.spans.turn(stages)
    spans = house.finished()
    session, turn = spans["realtime session"], spans["voice turn"]
    assert f"{session.context.trace_id:032x}" == TRACE
    assert {spans[name].parent.span_id for name in ("chat scripted/ok", "voice turn")} == {session.context.span_id}
    assert spans["chat ok"].attributes["rr.stage"] == "llm"
    assert spans["voice stt_final"].parent.span_id == turn.context.span_id
    assert (turn.end_time - turn.start_time) / 1e9 == pytest.approx(0.8)
    assert (spans["voice speech_end"].end_time - spans["voice speech_end"].start_time) / 1e9 == pytest.approx(0.2)


async def test_spans_reach_a_collector_over_http(monkeypatch):
    got = []

    async def collect(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length: ")[1].split("\r\n")[0])
        got.append((head.split(" ")[1], await reader.readexactly(length)))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(collect, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "edge")
    spans = await asyncio.to_thread(Spans.exported, "otlp")
    with spans.session({}):
        pass
    await asyncio.to_thread(spans.close)
    server.close()
    [(path, body)] = got
    assert path == "/v1/traces"
    assert b"realtime session" in body
    assert b"edge" in body


def test_the_console_is_an_exporter_too(capsys):
    spans = Spans.exported("console")
    with spans.session({}):
        pass
    spans.close()
    assert '"name": "realtime session"' in capsys.readouterr().err
