"""What is known about models, without importing litellm."""

import subprocess
import sys

import pytest

from policies import Facts, Feature, Prices, RoutingOptions
from router.catalogue import bare_name, load_catalogue, price_file, shipped_scores
from router.config import load
from router.config.table import build_table


def test_prices_limits_and_features_come_from_the_bundled_file():
    target = load_catalogue({"openai": None}).target("openai", "gpt-4o-mini")
    assert target.prices == Prices(1.5e-07, 6e-07)
    assert target.context_tokens == 128_000
    assert Feature.TOOLS not in target.lacks
    assert Feature.AUDIO_INPUT in target.lacks
    assert target.scores["intelligence"] > 0


def test_litellm_itself_is_never_imported_and_it_is_quick():
    code = (
        "import sys, time; from router.catalogue import load_catalogue; t = time.perf_counter();"
        "c = load_catalogue({'openai': None, 'groq': None});"
        "assert c.models(); assert 'litellm' not in sys.modules; print(time.perf_counter() - t)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 1.0


def test_only_configured_providers_are_kept_and_in_their_order():
    catalogue = load_catalogue({"groq": None, "deepinfra": None, "together": None})
    assert {target.provider for target in catalogue.models(kind=None)} == {"groq", "deepinfra", "together"}
    assert all(not target.model.startswith(("groq/", "deepinfra/")) for target in catalogue.models(kind=None))


def test_one_provider_may_be_configured_under_two_names():
    catalogue = load_catalogue({"gemini": None, "google-ai-studio": None})
    names = {target.name for target in catalogue.models() if target.model == "gemini-2.5-flash"}
    assert names == {"gemini/gemini-2.5-flash", "google-ai-studio/gemini-2.5-flash"}


def test_an_unknown_model_is_a_target_that_lacks_nothing():
    target = load_catalogue({"openai": None}).target("mine", "house-model")
    assert (target.name, target.lacks, target.prices) == ("mine/house-model", frozenset(), None)


def test_bare_names_are_offered_by_each_provider_that_has_them():
    catalogue = load_catalogue({"mine": ("gpt-4o",), "openai": None})
    named = [target.name for target in catalogue.models() if target.model == "gpt-4o"]
    assert named == ["mine/gpt-4o", "openai/gpt-4o"]


def test_declared_models_of_a_known_provider_keep_what_is_known():
    catalogue = load_catalogue({"openai": ("gpt-4o", "own-tune")})
    assert [target.name for target in catalogue.models()] == ["openai/gpt-4o", "openai/own-tune"]
    assert catalogue.target("openai", "gpt-4o").prices is not None


def test_own_prices_and_scores_win():
    own = Prices(1.0, 2.0)
    catalogue = load_catalogue({"openai": None}, prices={"openai/gpt-4o": own}, scores={"gpt-4o": {"math": 99.0}})
    target = catalogue.target("openai", "gpt-4o")
    assert target.prices == own
    assert target.scores["math"] == 99.0
    assert target.scores["coding"] == shipped_scores("gpt-4o")["coding"]


def test_the_demo_needs_no_price_file():
    catalogue = load_catalogue({"demo": None, "local": None})
    assert [target.name for target in catalogue.models()][:2] == ["demo/fast", "demo/smart"]
    assert Feature.VISION in catalogue.target("demo", "fast").lacks
    assert catalogue.target("local", "pocketsphinx").kind == "transcription"


def test_models_know_what_they_are_for():
    catalogue = load_catalogue({"openai": None})
    kinds = [
        catalogue.target("openai", name).kind for name in ("gpt-4o", "whisper-1", "tts-1", "text-embedding-3-small")
    ]
    assert kinds == ["chat", "transcription", "speech", "embedding"]


@pytest.mark.parametrize(
    ("model", "same_as"),
    [
        ("gpt-4o-2024-08-06", "gpt-4o"),
        ("meta-llama/Llama-3.3-70B-Instruct", "llama-3.3-70b"),
        ("gpt-4o-mini", "gpt-4o-mini"),
    ],
)
def test_a_score_stands_for_a_family(model, same_as):
    assert shipped_scores(model) == shipped_scores(same_as) != {}


def test_a_name_that_only_begins_alike_has_no_score():
    assert shipped_scores("o1x") == {}
    assert shipped_scores("o35") == {}


@pytest.mark.parametrize(
    ("key", "listed", "model"),
    [("groq/a", "groq", "a"), ("gpt-5", "openai", "gpt-5"), ("together_ai/m/x", "together_ai", "m/x"),
     ("vertex_ai/c", "vertex_ai-language-models", "c"), ("bedrock/us/x", "bedrock_converse", "us/x")],
)  # fmt: skip
def test_names_lose_the_listing_prefix(key, listed, model):
    assert bare_name(key, listed) == model


def test_the_price_file_is_where_the_package_is():
    assert price_file().name == "model_prices_and_context_window_backup.json"


def test_auto_never_picks_a_demo_target_that_fails_on_purpose():
    table = build_table(load(None, {}))
    for sort in ((), ("price",), ("latency",), ("intelligence",)):
        decision = table.decide(Facts("auto", options=RoutingOptions(sort=sort)))
        names = {candidate.target.name for candidate in decision.plan.candidates}
        assert names == {"demo/fast", "demo/smart"}
