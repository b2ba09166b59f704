"""JSON answers: an empty success is a failure, every fault has its row, the record equals the upstream's log."""

import asyncio

import orjson
import pytest

from policies import Decision, Outcome, Plan, Reason, Timeouts, Try
from router import Clock, Refusal, Silent
from router.dispatch import CHAT, Errand
from router.upstreams.scripted import CANONICAL

from .house import House, target


def told(completion):
    return completion.document["choices"][0]["message"]["content"]


@pytest.mark.parametrize(
    ("fault", "outcome", "status"),
    [
        ("500", "http_5xx", 500),
        ("503", "overloaded", 503),
        ("429", "rate_limited", 429),
        ("quota", "quota_exhausted", 429),
        ("auth", "upstream_auth", 401),
        ("context", "context_length", 400),
        ("unsupported", "unsupported_param", 400),
        ("nonsense", "model_not_found", 404),
        ("html", "malformed_response", 200),
        ("deep-json", "malformed_response", 200),
        ("huge-json", "malformed_response", 200),
        ("bomb-gzip", "malformed_response", 200),
        ("error-json", "in_band_error", None),
        ("empty", "empty_response", 200),
        ("null-content", "empty_response", 200),
        ("reset", "reset_before_commit", None),
        ("cut-20", "truncated", 200),
        ("stall-20", "idle_timeout", 200),
        ("hang", "header_timeout", None),
        ("slow-json", "header_timeout", None),
        ("redirect", "malformed_response", 307),
    ],
)
async def test_a_fault_of_the_target_goes_on_to_the_next(fault, outcome, status):
    house = House()
    completion = await house.complete(fault, "ok")
    attempts = completion.document["metadata"]["attempts"]
    assert told(completion) == CANONICAL
    assert completion.document["model"] == "scripted/ok"
    assert [attempt["outcome"] for attempt in attempts] == [outcome, "success"]
    assert attempts[0].get("status_code") == status
    assert house.same_as_the_upstreams_log(completion.record)


@pytest.mark.parametrize(("fault", "code"), [("400", "scripted"), ("content-filter", "content_policy_violation")])
async def test_what_would_fail_anywhere_is_told_to_the_client_as_the_provider_said_it(fault, code):
    house = House()
    with pytest.raises(Refusal) as refused:
        await house.complete(fault, "ok")
    assert (refused.value.status, refused.value.code) == (400, code) or code == "scripted"
    assert refused.value.status == 400
    assert refused.value.headers["x-should-retry"] == "false"
    assert len(house.upstream.journal.seen) == 1


@pytest.mark.parametrize(
    ("models", "status", "code"),
    [
        (("500", "502"), 502, "upstream_error"),
        (("500", "503"), 503, "upstream_overloaded"),
        (("500", "hang"), 504, "upstream_timeout"),
        (("500", "auth"), 502, "upstream_auth_error"),
        (("429", "429@two"), 429, "rate_limit_exceeded"),
        (("500", "429"), 502, "upstream_error"),
        (("429", "quota"), 429, "insufficient_quota"),
        (("500", "context"), 400, "context_length_exceeded"),
        (("500", "reset"), 502, "upstream_error"),
        (("500", "empty"), 502, "empty_response"),
    ],
)
async def test_when_all_fail_the_last_says_what_the_client_sees(models, status, code):
    house = House()
    with pytest.raises(Refusal) as refused:
        await house.complete(*models)
    body = orjson.loads(refused.value.body())
    assert (refused.value.status, body["error"]["code"]) == (status, code)
    assert set(body["error"]) == {"message", "type", "param", "code"}
    assert [a["model"] for a in body["metadata"]["attempts"]] == [
        f"scripted/{m}" for m in house.upstream.journal.models()
    ]
    assert refused.value.record.status == status


async def test_the_smallest_retry_after_is_passed_on_when_all_are_limited():
    with pytest.raises(Refusal) as refused:
        await House().complete("429-retry-after-30", "429-retry-after-20")
    assert (refused.value.status, refused.value.headers["retry-after"]) == (429, "20")


@pytest.mark.parametrize("odd", ["429-retry-after-odd", "429-retry-after-date", "429-retry-after-ms-999999999"])
async def test_an_odd_retry_after_never_rests_a_target_for_more_than_two_minutes(odd):
    house = House()
    completion = await house.complete(odd, "ok")
    now_s = completion.record.ended_s
    rests_s = house.router.health.snapshot(now_s)[f"scripted/{odd}"].rests_until_s - now_s
    assert 0 < rests_s <= 120


async def test_a_limited_target_gets_no_call_while_it_rests():
    house = House()
    for _ in range(3):
        await house.complete("429-retry-after-30", "ok")
    assert house.upstream.journal.models() == ["429-retry-after-30", "ok", "ok", "ok"]


async def test_the_reasoning_says_who_was_passed_over():
    house = House()
    await house.complete("quota", "ok")
    said = (await house.complete("quota", "ok")).document["metadata"]
    assert len(said["attempts"]) == 1
    assert said["reasoning"].endswith("- success with scripted/ok, scripted/quota passed over (cooling down)")


async def test_a_failing_target_rests_after_five_failures_but_is_tried_when_it_is_the_last():
    house = House()
    for _ in range(8):
        await house.complete("500", "ok")
    assert house.upstream.journal.models().count("500") == 5
    with pytest.raises(Refusal):
        await house.complete("500")
    assert house.upstream.journal.models().count("500") == 6


async def test_a_lone_target_is_asked_once_more_after_a_5xx():
    house = House()
    completion = await house.complete("500-once")
    assert told(completion) == CANONICAL
    assert house.upstream.journal.models() == ["500-once", "500-once"]


async def test_a_short_retry_after_is_waited_for_when_the_profile_says_so():
    waited = []

    async def sleep(seconds):
        waited.append(seconds)

    house = House(wait_for_retry_after_s=3.0, clock=Clock(sleep=sleep))
    completion = await house.complete("429-retry-after-2-once", "ok")
    assert waited == [2.0]
    assert house.upstream.journal.models() == ["429-retry-after-2-once"] * 2
    assert told(completion) == CANONICAL


async def test_a_client_that_hangs_up_cancels_the_call_and_is_not_the_targets_fault():
    house = House(timeouts=Timeouts())
    asking = asyncio.ensure_future(house.complete("hang", "ok"))
    await asyncio.sleep(0.02)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert house.upstream.journal.models() == ["hang"]
    assert house.router.health.in_flight() == {"scripted/hang": 0}


async def test_the_body_goes_out_with_the_targets_name_and_without_routing_fields():
    house = House()
    completion = await house.complete(
        "echo", metadata={"tier": "vip"}, user="u", extra_body={"sort": ["price"]}, odd_field={"x": 1}
    )
    echoed = orjson.loads(told(completion))
    assert echoed == {
        "model": "echo",
        "messages": [{"role": "user", "content": "hello"}],
        "user": "u",
        "odd_field": {"x": 1},
    }


@pytest.mark.parametrize(
    ("own", "sent"),
    [
        ({}, {"max_tokens": 9}),
        ({"max_tokens": 5}, {"max_tokens": 5}),
        ({"max_completion_tokens": 5}, {"max_completion_tokens": 5}),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_a_callers_limit_of_tokens_wins_under_either_of_its_names(own, sent, turned):
    def named(limits):
        names = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}
        return {names[name]: value for name, value in limits.items()} if turned else limits

    decision = Decision("m", "m", Reason.SINGLE, Plan(()), parameters=named({"max_tokens": 9}))
    call = Errand(CHAT, decision, {}, Clock(), named(own)).call(Try(target("ok"), Timeouts()), ())
    assert call.document == {"model": "ok", **named(sent)}


async def test_embeddings_pass_through_under_the_same_plan_and_record():
    house = House()
    document = {"model": "scripted/500", "models": ["scripted/ok"], "input": "x"}
    completion = await house.router.passthrough("/embeddings", orjson.dumps(document), document)
    assert completion.record.kind == "embeddings"
    assert [a["outcome"] for a in completion.document["metadata"]["attempts"]] == ["http_5xx", "success"]
    assert house.upstream.journal.seen[-1].path == "/embeddings"


async def test_audio_comes_back_as_it_is():
    house = House()
    document = {"model": "scripted/ok", "input": "x", "voice": "alloy"}
    completion = await house.router.passthrough("/audio/speech", orjson.dumps(document), document)
    assert not completion.content_type.startswith("application/json")
    assert b"metadata" not in completion.body


async def test_a_form_names_the_targets_own_model():
    house = House()
    form = (
        b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nscripted/ok\r\n'
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF\r\n--x--\r\n'
    )
    completion = await house.router.passthrough(
        "/audio/transcriptions", form, content_type="multipart/form-data; boundary=x", model="scripted/ok"
    )
    assert house.upstream.journal.models() == ["ok"]
    assert completion.document["metadata"]["attempts"][0]["model"] == "scripted/ok"


async def test_a_callers_own_key_is_tried_first_and_gives_way_to_ours():
    house = House()
    completion = await house.complete("auth", "ok", provider_credentials={"scripted": "sk-mine"})
    attempts = completion.document["metadata"]["attempts"]
    assert [(a["model"], a["credential_type"]) for a in attempts] == [
        ("scripted/auth", "byok"),
        ("scripted/auth", "system"),
        ("scripted/ok", "byok"),
    ]


async def test_observers_are_told_everything_once():
    told_of = []

    class Ear(Silent):
        def on_decision(self, decision, facts):
            told_of.append("decision")

        def on_attempt(self, attempt, decision):
            told_of.append(attempt.outcome.value)

        def on_finish(self, record):
            told_of.append(record.outcome)

    await House(observers=[Ear()]).complete("500", "ok")
    assert told_of == ["decision", "http_5xx", "success", Outcome.SUCCESS]
