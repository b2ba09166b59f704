import pytest

from policies import Prices, Target, Targets
from policies.aliases import Aliases

KNOWN = (
    Target("groq", "llama"),
    Target("demo", "llama"),
    Target("deepinfra", "meta-llama/Llama-4"),
    Target("demo", "fast", context_tokens=8),
    Target("absent", "ghost"),
    Target("groq", "whisper", kind="transcription"),
)
TARGETS = Targets(["demo", "groq", "deepinfra", "gemini", "groq"], KNOWN)


def test_any_model_of_a_configured_provider_can_be_named():
    assert TARGETS.named("groq/brand-new") == Target("groq", "brand-new")
    assert TARGETS.named("demo/fast").context_tokens == 8
    assert TARGETS.named("deepinfra/meta-llama/Llama-4").model == "meta-llama/Llama-4"


def test_a_model_that_is_not_known_may_have_a_price():
    targets = Targets(
        ["groq", "google-vertex"], prices={"groq/new": Prices(1.0, 2.0), "google-vertex/g": Prices(3.0, 4.0)}
    )
    assert targets.named("groq/new").prices == Prices(1.0, 2.0)
    assert targets.named("vertex/g").prices == Prices(3.0, 4.0)
    assert targets.named("groq/other").prices is None


@pytest.mark.parametrize("text", ["openai/gpt", "llama", "/x", "groq/", "", "meta-llama/Llama-4"])
def test_what_is_not_of_a_configured_provider_is_nobody(text):
    assert TARGETS.named(text) is None


def test_a_provider_goes_by_several_names():
    assert TARGETS.named("google/gemini-3").name == "gemini/gemini-3"
    assert TARGETS.named("google-ai-studio/gemini-3").name == "gemini/gemini-3"
    assert Targets(["google-vertex"]).provider("vertex") == "google-vertex"
    assert Targets(["demo"]).provider("vertex") is None
    assert TARGETS.provider("nobody") is None


def test_a_bare_model_is_found_at_every_provider_the_stand_in_last():
    assert [target.name for target in TARGETS.offering("llama")] == ["groq/llama", "demo/llama"]
    assert [target.name for target in TARGETS.offering("meta-llama/Llama-4")] == ["deepinfra/meta-llama/Llama-4"]
    assert TARGETS.offering("ghost") == ()


def test_the_pool_of_auto_leaves_stand_ins_out_unless_there_is_nothing_else():
    assert [target.name for target in TARGETS.pool()] == ["groq/llama", "deepinfra/meta-llama/Llama-4"]
    assert [target.name for target in TARGETS.pool("transcription")] == ["groq/whisper"]
    assert [target.name for target in Targets(["demo"], KNOWN).pool()] == ["demo/llama", "demo/fast"]
    assert len(TARGETS) == 5


def test_where_some_models_have_scores_auto_picks_from_those():
    graded = Target("groq", "good", scores={"math": 50.0})
    targets = Targets(["groq", "deepinfra"], [*KNOWN, graded])
    assert targets.pool() == targets.of_provider("groq") == (graded,)
    assert [target.name for target in targets.of_provider("deepinfra")] == ["deepinfra/meta-llama/Llama-4"]


def test_an_entry_means_a_target_by_name_model_or_provider():
    target = TARGETS.named("gemini/g")
    assert all(TARGETS.matches(target, entry) for entry in ("gemini/g", "g", "gemini", "google", "google/g"))
    assert not any(TARGETS.matches(target, entry) for entry in ("groq", "groq/g", "x"))


def test_whole_providers_and_near_names_are_found():
    assert [target.name for target in TARGETS.of_provider("demo")] == ["demo/llama", "demo/fast"]
    assert TARGETS.of_provider("absent") == ()
    assert [target.name for target in TARGETS.of_provider("groq")] == ["groq/llama"]
    assert [target.name for target in TARGETS.of_provider("groq", "transcription")] == ["groq/whisper"]
    assert TARGETS.knows("groq/whisper")
    assert not TARGETS.knows("groq/brand-new")
    assert TARGETS.near("demo/fats") == ("demo/fast",)
    assert TARGETS.near("router/dmo", ["router/demo"]) == ("router/demo",)
    assert TARGETS.near_providers("grok") == ("groq",)


def test_the_exact_alias_wins_then_the_longest_pattern():
    aliases = Aliases(
        {"gpt-*": "demo/short", "gpt-realtime*": "router/demo", "gpt-realtime": "demo/exact", "a?": "demo/q"}
    )
    assert aliases.get("gpt-realtime") == "demo/exact"
    assert aliases.get("gpt-realtime-2") == "router/demo"
    assert aliases.get("gpt-5") == "demo/short"
    assert aliases.get("ab") == "demo/q"
    assert aliases.get("claude") is None
