"""A table over a few known targets, and short words for what the tests of deciding ask of it."""

from policies import (
    Facts,
    Feature,
    ModelChoice,
    Policy,
    Prices,
    Route,
    RoutingTable,
    Target,
    Targets,
    Variant,
)

KNOWN = (
    Target("groq", "llama", prices=Prices(1e-6, 1e-6), lacks=frozenset({Feature.VISION})),
    Target("openai", "llama", prices=Prices(3e-6, 3e-6)),
    Target("openai", "gpt", prices=Prices(9e-6, 9e-6)),
    Target("mine", "llama"),
    Target("demo", "fast", prices=Prices(0.0, 0.0)),
    Target("inworld", "inworld-tts", kind="speech"),
)
PROVIDERS = ("groq", "openai", "mine", "demo", "inworld")


def table(*policies, aliases=None, **more):
    return RoutingTable(Targets(PROVIDERS, KNOWN), policies, aliases=aliases or {}, **more)


def variant(name="only", weight=100, model="groq/llama", **choice):
    return Variant(name, weight, ModelChoice(model, **choice))


def router(*variants, name="support", **more):
    return Policy(name, default=Route("default", variants or (variant(),)), **more)


def order(decision, *, usable=True):
    return [c.target.name for c in decision.plan.candidates if not usable or c.skipped is None]


def decide(model, *policies, aliases=None, **facts):
    return table(*policies, aliases=aliases).decide(Facts(model, **facts))
