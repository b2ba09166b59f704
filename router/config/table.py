"""Configuration and catalogue become the table that decides. Every router's errors are found first."""

from policies import Policy, Prices, RoutingTable, Targets
from router.catalogue import Catalogue, load_catalogue

from .findings import ConfigError, Finding
from .load import Config
from .policy import limits_of, policy_of, spoken_limits_of


def catalogue_of(config: Config) -> Catalogue:
    """The catalogue for the configured providers, with the configuration's own prices and scores."""
    prices = {name: Prices(price.input / 1e6, price.output / 1e6) for name, price in config.prices.items()}
    scores = {name: row.model_dump(exclude_none=True) for name, row in config.scores.items()}
    return load_catalogue(
        {name: provider.models for name, provider in config.providers.items()}, prices=prices, scores=scores
    )


def policies_of(config: Config) -> dict[str, Policy]:
    """Every router's policy by name. Raises ConfigError with the findings of all of them."""
    policies: dict[str, Policy] = {}
    findings: list[Finding] = []
    texts: dict[str, str] = {}
    for source in config.routers:
        try:
            policies[source.router.router] = policy_of(source, config.defaults)
        except ConfigError as error:
            findings += error.findings
            texts |= error.texts
    if findings:
        raise ConfigError(findings, texts)
    return policies


def build_table(config: Config, catalogue: Catalogue | None = None) -> RoutingTable:
    """The table of a configuration. Raises ConfigError when a router cannot be true to its word."""
    catalogue = catalogue or catalogue_of(config)
    return RoutingTable(
        Targets(
            tuple(config.providers),
            catalogue.models(kind=None),
            catalogue.prices,
            spoken={name: provider.realtime.models for name, provider in config.providers.items()},
        ),
        tuple(policies_of(config).values()),
        aliases=config.aliases,
        firm=config.own_aliases,
        limits=limits_of(config.defaults),
        spoken_limits=spoken_limits_of(config.defaults),
    )
