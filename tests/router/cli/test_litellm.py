import json

import pytest
from typer.testing import CliRunner

from router.cli.app import app
from router.cli.litellm_groups import convert
from router.cli.litellm_terms import address, is_private, settings_of

LITELLM = """\
model_list:
  - model_name: gpt
    litellm_params:
      {model: azure/gpt-4o, api_base: https://x.example/, api_key: os.environ/AZURE_KEY, api_version: "2024-08-01",
       rpm: 6, weight: 3}
    model_info: {base_model: azure/gpt-4o}
  - model_name: gpt
    litellm_params: {model: openai/gpt-4o, api_key: os.environ/OPENAI_API_KEY, weight: 1}
  - model_name: claude
    litellm_params: {model: anthropic/claude-sonnet-4-6, api_key: os.environ/ANTHROPIC_API_KEY, temperature: 0.2}
  - model_name: long
    litellm_params: {model: gemini/gemini-2.5-pro, timeout: 40}
  - model_name: small
    litellm_params: {model: together_ai/meta/llama, api_key: plain-together-a}
  - model_name: small2
    litellm_params: {model: together_ai/meta/llama2, api_key: plain-together-b, mock_response: hi}
  - model_name: bedrock
    litellm_params: {model: bedrock/anthropic.claude-v1, aws_region_name: us-west-2}
  - model_name: llama
    litellm_params: {model: ollama/llama3, api_base: "http://localhost:11434"}
  - {model_name: "groq/*", litellm_params: {model: "groq/*", api_key: os.environ/GROQ_API_KEY}}
  - {model_name: "*", litellm_params: {model: "*"}}
  - model_name: broken
litellm_settings: {num_retries: 2, cache: true, request_timeout: 30, success_callback: [langfuse]}
router_settings:
  routing_strategy: simple-shuffle
  model_group_alias: {gpt-4: gpt, best: {model: claude, hidden: true}}
  fallbacks: [{gpt: [claude]}]
  context_window_fallbacks: [{gpt: [long]}, {claude: [long]}]
  allowed_fails: 4
  cooldown_time: 20
  stream_timeout: 6
  redis_password: very-secret
general_settings: {master_key: sk-1234, database_url: "postgresql://u:hidden@h/d"}
"""


def run(*arguments):
    return CliRunner().invoke(app, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """The folder written, checked."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield _imported(tmp_path_factory.mktemp("litellm"), monkeypatch)


def _imported(tmp_path, monkeypatch):
    names = ("AZURE_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY", "GROQ_API_KEY", "TOGETHER_API_KEY")
    for name in (*names, "LITELLM_MASTER_KEY"):
        monkeypatch.setenv(name, "k" * 8)
    source, out = tmp_path / "config.yaml", tmp_path / "out"
    source.write_text(LITELLM)
    done = run("import", "litellm", source, "--out", out)
    assert done.exit_code == 0, done.output
    checked = run("check", out / "realtime-router.yaml")
    assert checked.exit_code == 0, checked.output
    return out, done.output


def explained(out, model):
    done = run("explain", "-m", model, "-u", "u", "--json", "-c", out / "realtime-router.yaml")
    said = json.loads(done.output)
    return said["decision"], [step["model"] for step in said["plan"]]


def test_a_group_splits_by_weight_and_falls_back_to_its_peers_and_other_groups(imported):
    out, _ = imported
    decision, plan = explained(out, "gpt")
    assert decision["router"] == "gpt"
    assert sorted(plan) == sorted(
        ["azure/gpt-4o", "openai/gpt-4o", "anthropic/claude-sonnet-4-6", "gemini/gemini-2.5-pro"]
    )
    assert plan[2:] == ["anthropic/claude-sonnet-4-6", "gemini/gemini-2.5-pro"]
    assert decision["propensity"] in (0.75, 0.25)


@pytest.mark.parametrize(
    ("name", "router", "first"),
    [
        ("gpt-4", "gpt", None),
        ("best", "claude", "anthropic/claude-sonnet-4-6"),
        ("long", "long", "gemini/gemini-2.5-pro"),
        ("llama", None, "ollama/llama3"),
        ("bedrock", None, "bedrock/anthropic.claude-v1"),
        ("small2", None, "together-2/meta/llama2"),
        ("groq/anything", None, "groq/anything"),
    ],
)
def test_every_name_of_theirs_still_answers(imported, name, router, first):
    decision, plan = explained(imported[0], name)
    assert decision["router"] == router
    assert first is None or plan[0] == first


def test_keys_settings_and_options_are_taken_over(imported):
    server = (imported[0] / "realtime-router.yaml").read_text()
    assert "secret: ${LITELLM_MASTER_KEY}" in server
    assert "api_version: '2024-08-01'" in server
    assert "aws_region_name: us-west-2" in server
    assert "base_url: http://localhost:11434/v1\n    allow_private: true" in server
    assert "max: 3" in server
    assert "base_s: 20\n    max_s: 20" in server
    assert "total_s: 40" in (imported[0] / "routers" / "long.yaml").read_text()


def test_what_has_no_counterpart_is_a_remark_and_no_secret_is_told(imported):
    out, said = imported
    server = (out / "realtime-router.yaml").read_text()
    notes = server.partition("# Not translated, by line of config.yaml:")[2]
    for note in (
        "line 5: gpt: rpm; limit",
        "line 16: small2: mock_response",
        "line 24: cache; answers",
        "line 34: general_settings.master_key: not copied",
        "line 22: *: a wildcard",
    ):
        assert note in notes
        assert note in said.replace("\n", " ")
    for secret in ("sk-1234", "very-secret", "u:hidden"):
        assert secret not in server + said
    assert "plain-together" not in notes + said


def test_anchors_merged_in_are_read_as_their_reader_does(tmp_path):
    source = tmp_path / "config.yaml"
    source.write_text("""\
x: &limits {timeout: 20, rpm: 5}
y: &warm {temperature: 1, timeout: 3}
model_list:
  - {model_name: a, litellm_params: {<<: *limits, model: groq/a}}
  - {model_name: b, litellm_params: {<<: [*limits, *warm], model: groq/b, rpm: 7}}
""")
    done = run("import", "litellm", source, "--out", tmp_path)
    assert "line 1: a: rpm" in done.output  # where it is written
    assert "line 5: b: rpm" in done.output
    assert "total_s: 20" in (tmp_path / "routers" / "a.yaml").read_text()
    merged = (tmp_path / "routers" / "b.yaml").read_text()
    assert "total_s: 20" in merged
    assert "temperature: 1" in merged


def test_a_note_for_several_places_names_their_lines(tmp_path):
    source = tmp_path / "config.yaml"
    rows = [f"  - {{model_name: m, litellm_params: {{model: groq/{name}, tags: [x]}}}}\n" for name in "ab"]
    source.write_text("model_list:\n" + "".join(rows))
    assert "not translated, lines 2, 3: m: tags;" in run("import", "litellm", source, "--out", tmp_path).output


def test_headers_of_a_deployment_become_its_providers():
    row = entry("m", model="openai/a", organization="org-1", extra_headers={"X-Team": "os.environ/TEAM"})
    imported = convert({"model_list": [row]})
    assert imported.providers["openai"]["headers"] == {"X-Team": "${TEAM}", "OpenAI-Organization": "org-1"}
    assert imported.notes == {}


def test_nothing_is_overwritten(imported):
    out, _ = imported
    assert run("import", "litellm", out.parent / "config.yaml", "--out", out).exit_code == 1


def entry(name, **params):
    return {"model_name": name, "litellm_params": params}


@pytest.mark.parametrize(
    ("shares", "weights"),
    [
        ([{"weight": 9, "rpm": 1}, {"weight": 1, "rpm": 9}], [90, 10]),
        ([{"rpm": 900}, {"rpm": 100}], [90, 10]),
        ([{"tpm": 30}, {"tpm": 10}], [75, 25]),
        ([{}, {}, {}], [33.34, 33.33, 33.33]),
        ([{"weight": 1}, {}], [100, 0]),
    ],
)
def test_shares_come_from_weight_else_rpm_else_tpm(shares, weights):
    rows = [entry("m", model=f"groq/{number}", **share) for number, share in enumerate(shares)]
    variants = convert({"model_list": rows}).routers["m"]["default"]["variants"]
    assert [one["weight"] for one in variants] == weights


@pytest.mark.parametrize(("strategy", "sort"), [("latency-based-routing", "latency"), ("cost-based-routing", "price")])
def test_a_strategy_becomes_a_sort(strategy, sort):
    rows = [entry("m", model="groq/a"), entry("m", model="openai/b")]
    imported = convert({"model_list": rows, "router_settings": {"routing_strategy": strategy}})
    (variant,) = imported.routers["m"]["default"]["variants"]
    assert variant == {"id": "best", "weight": 100, "model": "auto", "models": ["groq/a", "openai/b"], "sort": [sort]}
    assert imported.notes == {}


def test_default_fallbacks_stand_behind_whoever_has_none():
    rows = [entry(name, model=f"groq/{name}") for name in ("a", "b", "c")]
    settings = {"default_fallbacks": ["c"], "fallbacks": [{"a": ["b"]}]}
    imported = convert({"model_list": rows, "litellm_settings": settings})
    assert imported.routers["a"]["fallbacks"] == ["groq/b"]
    assert imported.routers["b"]["fallbacks"] == ["groq/c"]
    assert imported.aliases["c"] == "groq/c"


def test_own_prices_are_per_million():
    params = {"input_cost_per_token": 0.000001, "output_cost_per_token": 0.0000025}
    assert convert({"model_list": [entry("m", model="groq/a", **params)]}).prices == {
        "groq/a": {"input": 1.0, "output": 2.5}
    }


@pytest.mark.parametrize(
    ("base", "private"),
    [
        ("http://10.0.0.5/v1", True),
        ("http://llama:8000", True),
        ("http://localhost:1", True),
        ("https://api.groq.com/openai/v1", False),
        ("${SOMEWHERE}", False),
        ("not an address", False),
    ],
)
def test_only_addresses_of_ones_own_are_let_in(base, private):
    assert is_private(base) is private
    assert settings_of("new", {"api_base": base}).get("allow_private", False) is private


def test_an_ollama_address_ends_in_its_openai_endpoint():
    assert address("http://h:1/", "ollama") == "http://h:1/v1"
    assert address("http://h:1/v1", "ollama") == "http://h:1/v1"


@pytest.mark.parametrize("text", ["a: [", "model_list: 5", "other: 1"])
def test_what_is_no_litellm_configuration_is_refused(tmp_path, text):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    assert run("import", "litellm", path, "--out", tmp_path).exit_code == 1


@pytest.mark.parametrize("wrong", [5, None, "x", [], {}, [5], [{"a": 5}], [{"a": [5]}]])
def test_odd_values_never_fail(wrong):
    settings = dict.fromkeys(("fallbacks", "default_fallbacks", "model_group_alias", "num_retries", "timeout"), wrong)
    document = {"model_list": [wrong, entry("m", model="groq/a", weight=wrong, timeout=wrong, api_key=wrong)]}
    imported = convert({**document, "router_settings": settings, "general_settings": wrong})
    assert "m" in imported.aliases or "m" in imported.routers


def test_names_that_read_the_same_become_routers_of_their_own():
    rows = [entry(name, model="groq/a", temperature=0) for name in ("a/b", "a b", "A-B")]
    imported = convert({"model_list": rows, "router_settings": {"fallbacks": [{"gone": ["a/b"]}]}})
    assert imported.aliases == {"a/b": "router/a-b", "a b": "router/a-b-2", "A-B": "router/A-B-3"}
    assert imported.notes == {
        "fallbacks of gone: no entry of model_list is called so": [("router_settings", "fallbacks")]
    }
