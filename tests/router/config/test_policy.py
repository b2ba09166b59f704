"""Router files become policies; what the ground floor refuses has a place in the file."""

import pytest

from policies import Facts
from router.config import ConfigError, load, load_router
from router.config.models import Defaults
from router.config.policy import limits_of, policy_of, spoken_limits_of
from router.config.table import build_table

GRAMMAR = """\
router: support
unit: [user, metadata.session_id]
salt: support-2026-11
routes:
  - id: spanish-premium
    when: language == "es" && tier in ["premium", "vip"]
    variants:
      - {id: control,   weight: 90, model: openai/gpt-5.5, fallbacks: [groq/llama-4-70b]}
      - id: treatment
        weight: 10
        model: anthropic/claude-sonnet-4-6
        parameters: {temperature: 0.3, max_tokens: 300}
        messages: [{role: system, content: "You are {{agent}}. Answer in Spanish."}]
  - id: angry-callers
    when: voice.emotion == "frustrated" || intent == "complaint"
    variants: [{id: best, weight: 100, model: openai/gpt-5.5}]
default:
  id: default
  variants: [{id: cheap, weight: 100, model: auto, sort: [price, latency], models: [openai, groq]}]
fallbacks: [demo/fast]
intents:
  complaint: ["this is unacceptable", "I want my money back"]
  order: ["I would like to order", "can I get two of those"]
experiment:
  enabled: true
  control: control
  layer: {name: models, slots: [0, 50]}
  holdout: 5
  coverage: 100
  rollout: {route: spanish-premium, variant: treatment, start: 2026-11-20T00:00:00Z,
    steps: [[0h, 1], [24h, 10], [72h, 50]]}
  metrics: [{name: csat, kind: mean}, {name: resolved, kind: proportion}]
  guardrails: [{metric: error_rate, max_increase: 0.01}, {metric: ttft_p95, max_ratio: 1.2}]
"""


def source(tmp_path, text=GRAMMAR):
    path = tmp_path / "support.yaml"
    path.write_text(text, encoding="utf-8")
    return load_router(path, {})


def refusal(tmp_path, text):
    with pytest.raises(ConfigError) as caught:
        policy_of(source(tmp_path, text), Defaults())
    return str(caught.value).replace(str(tmp_path), "")


def test_the_file_of_the_grammar_is_a_policy(tmp_path):
    policy = policy_of(source(tmp_path), Defaults())
    assert policy.unit == ("user", "metadata.session_id")
    assert [route.id for route in policy.every_route] == ["spanish-premium", "angry-callers", "default"]
    treatment = policy.routes[0].variants[1]
    assert treatment.parameters == {"temperature": 0.3, "max_tokens": 300}
    assert policy.default.variants[0].choice.sort == ("price", "latency")
    assert policy.experiment.layer.stop == 50
    assert policy.experiment.rollout.start_s == 1795132800
    assert policy.experiment.rollout.steps == ((0, 1), (86_400, 10), (259_200, 50))
    assert policy.intents["order"][1] == "can I get two of those"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("weight: 90", "weight: 89", "/support.yaml:8:7: routes.spanish-premium.variants: the weights of route"),
        ('when: language == "es"', "when: language = ", "/support.yaml:6:20: routes.spanish-premium.when: not a CEL"),
        ("id: angry-callers", "id: spanish-premium", "/support.yaml:14:9: routes.spanish-premium.id: the route id"),
        ("variant: treatment,", "variant: treatmnt,", "/support.yaml:30:46: experiment.rollout.variant: route"),
        (
            "weight: 10\n",
            "weight: -1\n",
            "/support.yaml:10:17: routes.spanish-premium.variants.treatment.weight: must be",
        ),
        ("id: control,  ", "id: 'a:b',", "routes.spanish-premium.variants.a:b.id: does not look right, is 'a:b'"),
        ("    when: voice", "    wehn: voice", "routes.angry-callers.wehn: unknown key (did you mean 'when'?)"),
    ],
)
def test_what_is_wrong_has_its_place(tmp_path, old, new, message):
    assert old in GRAMMAR
    assert message in refusal(tmp_path, GRAMMAR.replace(old, new, 1))


def test_a_condition_says_which_of_its_characters_is_wrong(tmp_path):
    assert "(its character 15)" in refusal(tmp_path, GRAMMAR.replace('language == "es" &&', "language == 5 5 &&", 1))
    folded = GRAMMAR.replace('when: language == "es" &&', 'when: |\n      language ==\n       * "es" &&', 1)
    assert "(its line 2, character 2)" in refusal(tmp_path, folded)


def test_a_route_without_a_condition_and_wrong_weights_are_both_reported(tmp_path):
    text = "router: a\nroutes: [{id: r, variants: [{id: v, weight: 9, model: demo/fast}]}]\n"
    found = refusal(tmp_path, text)
    assert 'routes.r: has no condition (write `when: "true"`, or make it the default route)' in found
    assert "must sum to 100" in found


def test_voice_sessions_are_impatient_unless_a_router_names_its_profile(tmp_path):
    defaults = Defaults(profile="resilient")
    spoken = spoken_limits_of(defaults)
    assert (spoken.timeouts.connect_s, spoken.timeouts.first_token_s, spoken.timeouts.idle_s) == (2, 5, 3)
    assert (spoken.retry_same, spoken.on_interrupt) == (1, "continue")
    own = spoken_limits_of(defaults, source(tmp_path, "router: a\nprofile: patient\n").router)
    assert own.timeouts.first_token_s == 120
    own = spoken_limits_of(defaults, source(tmp_path, "router: b\ntimeouts: {idle_s: 1}\n").router)
    assert (own.timeouts.first_token_s, own.timeouts.idle_s) == (5, 1)


def test_limits_come_from_profile_file_and_router(tmp_path):
    defaults = Defaults.model_validate({"profile": "patient", "timeouts": {"idle_s": 7}, "attempts": {"max": 2}})
    limits = limits_of(defaults)
    assert (limits.timeouts.first_token_s, limits.timeouts.idle_s, limits.max_attempts) == (120, 7, 2)
    text = "router: a\nprofile: voice\ntimeouts: {total_s: 9}\nattempts: {retry_budget: 0.5}\non_interrupt: continue\n"
    own = limits_of(defaults, source(tmp_path, text).router)
    assert (own.timeouts.first_token_s, own.timeouts.idle_s, own.timeouts.total_s) == (5, 3, 9)
    assert (own.max_attempts, own.retry_budget, own.on_interrupt) == (2, 0.5, "continue")


def test_sort_directions_provider_orders_and_router_defaults_reach_the_policy(tmp_path):
    text = """\
name: routers/a
defaults: {text_generation_config: {temperature: 0.7}, message_templates: [{role: system, content: hi}]}
default_route:
  route_id: d
  variants:
    - weight: 100
      variant:
        variant_id: v
        model_id: auto
        web_search: {engine: exa}
        model_selection:
          sort: [{metric: SORT_METRIC_LATENCY, direction: SORT_DIRECTION_DESCENDING}]
          provider: {order: [openai], allow_fallbacks: false}
"""
    variant = policy_of(source(tmp_path, text), Defaults()).default.variants[0]
    assert variant.choice.sort == ("latency:descending",)
    assert (variant.choice.provider_order, variant.choice.allow_fallbacks) == (("openai",), False)
    assert variant.parameters == {"temperature": 0.7}
    assert variant.unmet == ("web_search: no search engine is configured; answered without it",)
    assert variant.messages[0]["content"] == "hi"


ONE = "router: a\ndefault: {{id: d, variants: [{{id: v, weight: 100, model: demo/fast, {}}}]}}\n"


def test_a_provider_sees_openais_words_and_none_of_ours(tmp_path):
    text = ONE.format(
        "web_search_options: {search_context_size: low}, compression: {aggressiveness: 0.5}, fallback: {ttft_timeout: "
        "1.5s}, parameters: {max_new_tokens: 5, stop_sequences: [x], reasoning: {effort: low, exclude: true}}, "
        "messages: [{role: system, content: hi, compression: {aggressiveness: 1}}]"
    )
    variant = policy_of(source(tmp_path, text), Defaults()).default.variants[0]
    assert variant.parameters == {
        "max_tokens": 5,
        "stop": ["x"],
        "reasoning_effort": "low",
        "web_search_options": {"search_context_size": "low"},
    }
    assert variant.messages == ({"role": "system", "content": "hi"},)
    assert variant.first_token_s == 1.5


def test_a_first_token_limit_of_the_router_holds_where_a_variant_has_none(tmp_path):
    text = ONE.format("parameters: {}") + "defaults: {fallback: {ttft_timeout: 800ms}}\n"
    assert policy_of(source(tmp_path, text), Defaults()).default.variants[0].first_token_s == 0.8


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("web_search: {}, web_search_options: {}", "exclude each other"),
        ("parameters: {max_tokens: 1, max_new_tokens: 2}", "max_new_tokens is another name of max_tokens"),
        ("parameters: {stream: true}", "variants.v.parameters: 'stream' is no parameter of a model"),
        ("parameters: {models: [demo/smart]}", "'models' is no parameter of a model"),
        ("fallback: {ttft_timeout: 299ms}", "variants.v.fallback.ttft_timeout: must be from 300ms to 600s, is '299ms'"),
        ("fallback: {ttft_timeout: 1m}", "ttft_timeout: does not look right, is '1m'"),
        ("messages: [{role: robot, content: hi}]", "messages[0]: a message needs a role"),
        ("messages: [{role: system}]", "messages[0]: a message needs content"),
    ],
)
def test_a_variant_that_contradicts_itself_is_refused(tmp_path, written, message):
    assert message in refusal(tmp_path, ONE.format(written))


def test_growthbook_hashing_is_an_assignment(tmp_path):
    text = "router: a\nhash: growthbook-v2\ndefault: {id: d, variants: [{id: v, weight: 100, model: demo/fast}]}\n"
    assert policy_of(source(tmp_path, text), Defaults()).assign == "growthbook-v2"


def test_the_shipped_configuration_decides():
    table = build_table(load(None, {}))
    assert table.decide(Facts(model="router/demo", user="u", metadata={"tier": "vip"})).route_id == "premium"
    assert table.decide(Facts(model="gpt-realtime-2", seed="s")).router == "demo"


def test_errors_of_all_routers_are_reported_together(tmp_path):
    for name in ("a", "b"):
        text = f"router: {name}\ndefault: {{id: d, variants: [{{id: v, weight: 1, model: demo/fast}}]}}\n"
        (tmp_path / f"{name}.yaml").write_text(text)
    server = tmp_path / "server.yml"
    server.write_text(
        "routers: [a.yaml, b.yaml]\nprices: {demo/fast: {input: 1, output: 2}}\nscores: {fast: {math: 3}}\n"
    )
    with pytest.raises(ConfigError) as caught:
        build_table(load(server, {}))
    assert len(caught.value.findings) == 2


def test_the_resilient_profile_repeats_waits_and_continues():
    limits = limits_of(Defaults(profile="resilient"))
    assert (limits.retry_same, limits.wait_for_retry_after_s, limits.on_interrupt) == (1, 3, "continue")
    plain = limits_of(Defaults())
    assert (plain.retry_same, plain.wait_for_retry_after_s, plain.on_interrupt) == (0, 0, "error")
    own = limits_of(Defaults(profile="resilient", on_interrupt="error", attempts={"retry_same": 0}))
    assert (own.retry_same, own.on_interrupt) == (0, "error")


def test_the_patient_profile_waits_long_for_whole_answers_and_every_profile_can_be_told():
    assert limits_of(Defaults(profile="patient")).timeouts.answer_s == 900
    assert limits_of(Defaults(timeouts={"answer_s": 7})).timeouts.answer_s == 7
