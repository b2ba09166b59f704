"""A policy that cannot be true to its word is refused, with the path to what is wrong."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest

from policies import (
    Condition,
    Experiment,
    Guardrail,
    Layer,
    Metric,
    ModelChoice,
    Policy,
    PolicyError,
    Rollout,
    Route,
    Variant,
)

FAST = ModelChoice("demo/fast")


def variant(name="only", weight=100, choice=FAST, **more):
    return Variant(name, weight, choice, **more)


def two(first=50, second=50):
    return (variant("control", first), variant("treatment", second))


def policy(**changes):
    return Policy(**({"name": "support", "default": Route("default", (variant(),))} | changes))


def split(**changes):
    return policy(**({"default": Route("default", two()), "experiment": Experiment()} | changes))


ROLLOUT = Rollout("default", "treatment", 0.0, ((0.0, 1), (60.0, 50)))

REFUSED = [
    ({"default": None}, ("routes",), "needs a route"),
    ({"salt": "a:b"}, ("salt",), "a ':' is refused"),
    ({"salt": " "}, ("salt",), "must not be empty"),
    ({"assign": "dice"}, ("assign",), "rendezvous, ranges, growthbook-v2"),
    ({"default": Route("a:b", (variant(),))}, ("default", "id"), "a ':' is refused in a route id"),
    ({"default": Route("d", ())}, ("default", "variants"), "no variants"),
    ({"default": Route("d", (variant("x:y"),))}, ("default", "variants", 0, "id"), "refused in a variant id"),
    ({"default": Route("d", (variant(""),))}, ("default", "variants", 0, "id"), "must not be empty"),
    ({"default": Route("d", (variant(), variant(weight=0)))}, ("default", "variants", 1, "id"), "used twice"),
    ({"default": Route("d", two(50, 49))}, ("default", "variants"), "must sum to 100, they sum to 99"),
    ({"default": Route("d", two(33.3, 66.6))}, ("default", "variants"), "they sum to 99.9"),
    ({"default": Route("d", two(-1, 101))}, ("default", "variants", 0, "weight"), "from 0 to 100, is -1"),
    ({"default": Route("d", two(0, 100.5))}, ("default", "variants", 1, "weight"), "is 100.5"),
    ({"default": Route("d", two(float("nan"), 50))}, ("default", "variants", 0, "weight"), "must be a number"),
    ({"default": Route("d", two(float("inf"), 50))}, ("default", "variants", 0, "weight"), "must be a number"),
    ({"default": Route("d", two(True, 99))}, ("default", "variants", 0, "weight"), "must be a number"),
    ({"default": Route("d", two(0.00001, 99.99999))}, ("default", "variants", 0, "weight"), "would take nobody"),
    ({"default": Route("d", (variant(choice=ModelChoice(" ")),))}, ("default", "variants", 0, "model"), "not empty"),
    (
        {"default": Route("d", (variant(choice=ModelChoice("router/x")),))},
        ("default", "variants", 0, "model"),
        "is a router",
    ),
    (
        {"default": Route("d", (variant(choice=ModelChoice("auto", fallbacks=("demo/fast", "inworld/x"))),))},
        ("default", "variants", 0, "fallbacks", 1),
        "is a router",
    ),
    (
        {"default": Route("d", (variant(choice=ModelChoice("auto", models=("router/x",))),))},
        ("default", "variants", 0, "models", 0),
        "is a router",
    ),
    (
        {"default": Route("d", (variant(choice=ModelChoice("auto", sort=("price", "latencyy"))),))},
        ("default", "variants", 0, "sort", 1),
        "did you mean 'latency'?",
    ),
    ({"fallbacks": ("demo/fast", "")}, ("fallbacks", 1), "not empty"),
    ({"name": "models"}, ("name",), "is reserved"),
    ({"salt": "layer/models"}, ("salt",), "must not begin with layer/ or holdout/"),
    (
        {"routes": (Route("default", (variant(),), Condition("true")),)},
        ("default", "id"),
        "the route id 'default' is used twice",
    ),
    (
        {"routes": (Route("a", (variant(),), Condition("true")), Route("b", two(1, 1), Condition("true")))},
        ("routes", 1, "variants"),
        "they sum to 2",
    ),
    ({"default": Route("d", (variant(),), Condition("true"))}, ("default", "when"), "has no condition"),
]

REFUSED_EXPERIMENTS = [
    (Experiment(holdout=101), ("experiment", "holdout"), "from 0 to 100"),
    (Experiment(coverage=-1), ("experiment", "coverage"), "from 0 to 100"),
    (Experiment(control="controll"), ("experiment", "control"), "did you mean 'control'?"),
    (Experiment(layer=Layer("a:b", 0, 50)), ("experiment", "layer", "name"), "a ':' is refused"),
    (Experiment(layer=Layer("l", -1, 50)), ("experiment", "layer", "slots", 0), "from 0"),
    (Experiment(layer=Layer("l", 0, 101)), ("experiment", "layer", "slots", 1), "to 100"),
    (Experiment(layer=Layer("l", 50, 50)), ("experiment", "layer", "slots"), "must grow"),
    (
        Experiment(rollout=replace(ROLLOUT, route="defalt")),
        ("experiment", "rollout", "route"),
        "did you mean 'default'?",
    ),
    (Experiment(rollout=replace(ROLLOUT, variant="x")), ("experiment", "rollout", "variant"), "has no variant 'x'"),
    (Experiment(rollout=replace(ROLLOUT, steps=())), ("experiment", "rollout", "steps"), "at least one step"),
    (
        Experiment(rollout=replace(ROLLOUT, steps=((0, 1), (60, 200)))),
        ("experiment", "rollout", "steps", 1, 1),
        "from 0 to 100",
    ),
    (
        Experiment(rollout=replace(ROLLOUT, steps=((60, 1), (60, 2)))),
        ("experiment", "rollout", "steps", 1, 0),
        "grow in time",
    ),
    (
        Experiment(rollout=replace(ROLLOUT, steps=((0, 10), (60, 5)))),
        ("experiment", "rollout", "steps", 1, 1),
        "must not shrink",
    ),
]


@pytest.mark.parametrize(("changes", "path", "message"), REFUSED)
def test_it_is_refused_with_its_place(changes, path, message):
    with pytest.raises(PolicyError, match=r".") as refused:
        policy(**changes)
    assert refused.value.path == path
    assert message in refused.value.message


@pytest.mark.parametrize(("experiment", "path", "message"), REFUSED_EXPERIMENTS)
def test_an_experiment_that_cannot_be_run_is_refused(experiment, path, message):
    with pytest.raises(PolicyError, match=r".") as refused:
        split(experiment=experiment)
    assert refused.value.path == path
    assert message in refused.value.message


def test_every_split_needs_the_control():
    routes = (Route("other", (variant("a", 50), variant("b", 50)), Condition("true")),)
    with pytest.raises(PolicyError, match="route 'other' has several variants and none of them is called 'control'"):
        split(routes=routes, experiment=Experiment(control="control"))


def test_a_rollout_needs_somebody_to_share_the_rest():
    with pytest.raises(PolicyError, match="no other variant"):
        split(default=Route("default", two(0, 100)), experiment=Experiment(rollout=ROLLOUT))


def test_an_error_spells_its_path():
    error = PolicyError(("routes", 0, "variants", 1, "weight"), "must be above 0")
    assert str(error) == "routes[0].variants[1].weight: must be above 0"
    assert str(PolicyError((), "is empty")) == "is empty"


@pytest.mark.parametrize(
    "weights",
    [
        (33.3, 33.3, 33.4),
        (0, 0, 100),
        (Decimal("0.1"), Decimal("99.9"), 0),
        (Fraction(100, 3), Fraction(100, 3), Fraction(100, 3)),
    ],
)
def test_weights_are_added_exactly(weights):
    variants = tuple(variant(name, weight) for name, weight in zip("abc", weights, strict=True))
    assert policy(default=Route("d", variants)).every_route[0].variants == variants


def test_the_salt_is_the_name_unless_it_is_given():
    assert policy().salt == "support"
    assert policy(salt="other").salt == "other"


def test_the_control_is_named_or_first():
    made = split(experiment=Experiment(control="treatment"))
    assert made.control(made.default).id == "treatment"
    assert split().control(made.default).id == "control"
    assert policy(default=made.default).control(made.default).id == "control"


def test_references_are_those_of_all_conditions():
    routes = (Route("a", (variant(),), Condition('tier == "x"')), Route("b", (variant(),), Condition("messages.has()")))
    assert policy(routes=routes).references() == {"tier", "messages"}
    assert policy().references() == frozenset()


def test_a_route_that_cannot_be_reached_is_refused_and_a_default_warned_about():
    routes = (
        Route("a", (variant(),), Condition('tier == "x"')),
        Route("b", (variant(),), Condition("true")),
    )
    with pytest.raises(
        PolicyError, match="route 'c' is unreachable: route 'b' before it always matches; move"
    ) as closed:
        policy(routes=(*routes, Route("c", (variant(),), Condition('tier == "y"'))))
    assert closed.value.path == ("routes", 2)
    assert policy(routes=routes).warnings() == ("default route 'default' is unreachable: route 'b' always matches",)
    assert policy(routes=(Route("a", (variant(),)),), default=None).warnings() == ()
    assert policy(routes=routes[:1], default=None).warnings() == (
        "no default route: a request that matches no condition is refused",
    )
    assert policy(routes=routes[:1]).warnings() == ()


def test_the_checksum_names_the_version():
    made = split(
        experiment=Experiment(
            control="control",
            layer=Layer("l", 0, 50),
            rollout=ROLLOUT,
            metrics=(Metric("csat"),),
            guardrails=(Guardrail("error_rate", max_increase=0.01),),
        ),
        routes=(Route("a", (variant(parameters={"temperature": 0.5, "stop": ["x"]}),), Condition('tier == "x"')),),
    )
    assert len(made.checksum) == 12
    assert replace(made, checksum="").checksum == made.checksum
    assert replace(made, salt="new").checksum != made.checksum
    assert replace(made, fallbacks=("demo/slow",)).checksum != made.checksum
    halves = [policy(default=Route("d", two(*pair))) for pair in ((50, 50), (50.0, Decimal(50)), (Fraction(50), 50))]
    assert len({half.checksum for half in halves}) == 1


def test_every_named_model_is_listed():
    choice = ModelChoice("a/1", fallbacks=("b/2",), models=("c/3",))
    assert list(policy(default=Route("d", (variant(choice=choice),)), fallbacks=("d/4",)).models()) == [
        "a/1",
        "b/2",
        "c/3",
        "d/4",
    ]


@pytest.mark.parametrize(
    ("guardrail", "words"),
    [
        (Guardrail("eror_rate", max_increase=0.1), "did you mean"),
        (Guardrail("error_rate"), "needs max_increase or max_ratio"),
        (Guardrail("error_rate", max_increase=-1.0), "must be 0 or more"),
        (Guardrail("ttft_p95", max_ratio=0.5), "must be 1 or more"),
    ],
)
def test_a_guardrail_that_cannot_work_is_refused(guardrail, words):
    with pytest.raises(PolicyError, match=words) as refused:
        Policy("r", default=Route("d", (variant(),)), experiment=Experiment(guardrails=(guardrail,)))
    assert refused.value.path[:3] == ("experiment", "guardrails", 0)
