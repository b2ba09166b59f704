"""The names in a configuration: listed models, closed labels, providers that are spoken of."""

import pytest

from realtime.names import labels_of, listing_of, providers_named
from router.config import load
from router.config.table import build_table

SERVER = """
records: {url: null}
providers: {demo: null, groq: {api_key: x}, anthropic: {kind: litellm, api_key: x}, mistral: {api_key: x}}
aliases: {house: groq/llama}
realtime: {model: mistral/large, speech: {model: mistral/voice, fallbacks: [local/auto]}}
routers: [support.yaml]
"""
ROUTER = """
router: support
fallbacks: [xai/grok]
default: {id: all, variants: [{id: a, weight: 100, model: demo/fast, fallbacks: [anthropic/claude]}]}
"""


@pytest.fixture
def config(tmp_path):
    (tmp_path / "support.yaml").write_text(ROUTER)
    (tmp_path / "server.yaml").write_text(SERVER)
    return load(tmp_path / "server.yaml", {})


def test_targets_that_the_configuration_names_are_labels_and_no_others(config):
    labels = labels_of(config, build_table(config))
    assert {"anthropic/claude", "demo/fast", "groq/llama", "mistral/large", "mistral/voice"} <= labels.targets
    assert not {"anthropic/other", "xai/grok"} & labels.targets  # xai is not configured
    assert (labels.routes, labels.variants) == ({"support/all"}, {"a"})


def test_routers_targets_and_the_operators_own_aliases_are_listed(config):
    listing = listing_of(config, build_table(config))
    assert listing.routers == ("support",)
    assert listing.names == ("auto", "house")
    assert "demo/fast" in {target.name for target in listing.targets}


def test_providers_are_those_of_every_model_string(config):
    routers = [source.router for source in config.routers]
    assert {"demo", "anthropic", "xai", "groq", "mistral"} <= providers_named(config, routers)
    assert "anthropic" not in providers_named(config, [])
