"""The names in a configuration: what is listed as a model, what may be a label, which providers are spoken of. Pure."""

from collections.abc import Sequence

from policies import RoutingTable
from router.config import Config, RouterFile
from router.metrics import LabelSets
from router.proxy.models import Listing


def listing_of(config: Config, table: RoutingTable) -> Listing:
    """What `/v1/models` tells: targets, routers, and the operator's own aliases."""
    return Listing(tuple(table.targets), tuple(table.policies), tuple(sorted({*config.own_aliases, "auto"})))


def labels_of(config: Config, table: RoutingTable) -> LabelSets:
    """The closed label sets of the metrics; every other name counts as `other`."""
    every = [(name, route) for name, policy in table.policies.items() for route in policy.every_route]
    return LabelSets(
        routes=frozenset(f"{name}/{route.id}" for name, route in every),
        variants=frozenset(variant.id for _, route in every for variant in route.variants),
        targets=frozenset(target.name for target in table.targets) | _named_targets(config, table),
    )


def _named_targets(config: Config, table: RoutingTable) -> frozenset[str]:
    """Targets that the configuration names, in the catalogue or not."""
    models = {model for policy in table.policies.values() for model in policy.models()}
    voice = config.realtime
    models |= {*config.aliases.values(), voice.model}
    for stage in (voice.transcription, voice.speech):
        models |= {stage.model, *stage.fallbacks}
    named = (table.targets.named(model) for model in models)
    return frozenset(target.name for target in named if target is not None)


def providers_named(config: Config, routers: Sequence[RouterFile]) -> set[str]:
    """Prefixes of every model string of the routers, the aliases and the voice sessions."""
    variants = [variant for router in routers for route in router.every_route for variant in route.variants]
    models = {model for one in variants for model in (one.model, *one.fallbacks, *one.models)}
    models |= {model for router in routers for model in router.fallbacks}
    models |= {*config.aliases.values(), config.realtime.model}
    return {model.partition("/")[0] for model in models}
