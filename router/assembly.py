"""From a configuration to the state of a router: the table that decides and an upstream per provider.

An upstream whose settings did not change is taken over from the state before, so that a reload keeps its connections.
"""

from collections.abc import Mapping
from pathlib import Path

from policies import CooldownRule, RoutingTable

from .config import Config, ConfigError, Finding, Provider, load
from .config.providers import SAME_AS
from .config.table import build_table
from .router import Guesses, State
from .upstreams.base import Upstream

MAX_INFLIGHT = 1024


class Roster(dict[str, Upstream]):
    """Upstreams by provider, weakly referable: its end is the end of the last request that began with it."""

    __slots__ = ("__weakref__",)


def state_from(path: Path | None, environ: Mapping[str, str]) -> State:
    """Load and build. Raises ConfigError."""
    return build_state(load(path, environ))


def build_state(config: Config, before: State | None = None, *, local: Upstream | None = None) -> State:
    """The state of a configuration. Raises ConfigError when a router or a provider cannot be built.

    `local` answers for providers of kind `local` (speech on this machine); without it they have no upstream.
    """
    table = build_table(config)
    upstreams = Roster()
    origins: dict[str, str] = {}
    for name, provider in config.providers.items():
        origin = provider.model_dump_json() + _key(provider)
        kept = before.upstreams.get(name) if before is not None and before.origins.get(name) == origin else None
        upstream = kept or (local if provider.kind == "local" else build_upstream(name, provider, config))
        if upstream is not None:
            upstreams[name] = upstream
            origins[name] = origin
    cooldown = config.defaults.cooldown
    rule = CooldownRule(
        consecutive_failures=cooldown.consecutive_failures, base_s=cooldown.base_s, max_s=cooldown.max_s
    )
    return State(table, upstreams, config.checksum, rule, build_guesses(table), origins)


def build_guesses(table: RoutingTable) -> Guesses | None:
    """What infers `intent` and `language`; None, and nothing imported, when no condition asks for them."""
    if not any(policy.references() & {"intent", "language"} for policy in table.policies.values()):
        return None
    from .inference import Inferences  # noqa: PLC0415

    return Inferences(table)


def build_upstream(name: str, provider: Provider, config: Config) -> Upstream | None:
    """The upstream of one provider; None for kinds that answer elsewhere (local speech). Raises ConfigError.

    Imports only what is needed: litellm alone takes a second.
    """
    match provider.kind:
        case "openai":
            return _openai(name, provider, config)
        case "demo":
            from .upstreams.demo import DemoUpstream  # noqa: PLC0415

            return DemoUpstream()
        case "scripted":
            from .upstreams.scripted import ScriptedUpstream  # noqa: PLC0415

            return ScriptedUpstream()
        case "litellm":
            return _litellm(name, provider, config)
        case "local":
            return None


def _openai(name: str, provider: Provider, config: Config) -> Upstream:
    from .upstreams.openai_http import OpenAIUpstream  # noqa: PLC0415
    from .upstreams.proxied import ProxiedUpstream, proxy_for  # noqa: PLC0415

    if provider.base_url is None:
        raise _wrong(name, config, "base_url is needed for kind 'openai'")
    most = provider.max_inflight or MAX_INFLIGHT
    key = _key(provider) or None
    try:
        proxy = proxy_for(provider.base_url)
        if proxy is not None:
            return ProxiedUpstream(
                provider.base_url,
                key,
                proxy=proxy,
                headers=provider.headers,
                allow_private=provider.allow_private,
                max_inflight=most,
            )
        return OpenAIUpstream(
            provider.base_url, key, headers=provider.headers, allow_private=provider.allow_private, max_inflight=most
        )
    except ValueError as error:
        raise _wrong(name, config, str(error)) from None


def _litellm(name: str, provider: Provider, config: Config) -> Upstream:
    from .upstreams.litellm import LitellmUpstream  # noqa: PLC0415

    try:
        return LitellmUpstream(
            SAME_AS.get(name, name),
            _key(provider) or None,
            base_url=provider.base_url,
            options=provider.options,
            headers=provider.headers,
            allow_private=provider.allow_private,
        )
    except ValueError as error:
        raise _wrong(name, config, str(error)) from None


def _wrong(name: str, config: Config, message: str) -> ConfigError:
    return ConfigError([Finding(str(config.path or "environment"), message, path=f"providers.{name}")])


def _key(provider: Provider) -> str:
    return provider.api_key.get_secret_value() if provider.api_key is not None else ""
