"""What the words of a LiteLLM configuration are called here: providers, addresses, settings, and why some have no word.

Pure: a LiteLLM value in, ours or a remark out.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from router.catalogue import LISTED_AS
from router.config.providers import KNOWN, SAME_AS

PROVIDERS: Mapping[str, str] = {
    theirs: ours for ours, listed in LISTED_AS.items() if ours not in SAME_AS for theirs in listed
} | {
    "azure_ai": "azure_ai",
    "ollama_chat": "ollama",
    "lm_studio": "lmstudio",
    "hosted_vllm": "vllm",
}
PARAMETERS = (
    "temperature", "max_tokens", "max_completion_tokens", "top_p", "top_k", "stop", "seed",
    "presence_penalty", "frequency_penalty", "reasoning_effort", "response_format",
)  # fmt: skip
OPTIONS = (
    "api_version", "aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_region_name",
    "aws_profile_name", "aws_role_name", "aws_session_name", "vertex_project", "vertex_location", "vertex_credentials",
    "azure_ad_token", "tenant_id", "client_id", "client_secret", "region_name",
)  # fmt: skip
HEADERS = ("extra_headers", "organization")
SORTS: Mapping[str, str] = {
    "latency-based-routing": "latency",
    "cost-based-routing": "price",
}
REMARKS: Mapping[str, str] = {
    "drop_params": "a parameter that a target does not take makes the walk go to the next target",
    "modify_params": "requests are passed on as they are",
    "set_verbose": "use RR_LOG_LEVEL=debug",
    "debug_level": "use RR_LOG_LEVEL=debug",
    "json_logs": "use RR_LOG_FORMAT=json",
    "cache": "answers are not cached",
    "cache_params": "answers are not cached",
    "caching_groups": "answers are not cached",
    "success_callback": "see the Prometheus metrics at /metrics and the records",
    "failure_callback": "see the Prometheus metrics at /metrics and the records",
    "callbacks": "see the Prometheus metrics at /metrics and the records",
    "redis_url": "the limits of keys may be shared: state.url; health is kept in each process",
    "redis_host": "the limits of keys may be shared: state.url; health is kept in each process",
    "redis_port": "the limits of keys may be shared: state.url; health is kept in each process",
    "redis_password": "the limits of keys may be shared: state.url; health is kept in each process",
    "enable_pre_call_checks": "always on: a target whose context is too small is skipped",
    "retry_policy": "what is repeated is decided by error class; see attempts.retry_same",
    "retry_after": "see attempts.wait_for_retry_after_s",
    "rpm": "limit the caller's key instead: auth.keys[].rpm",
    "tpm": "limit the caller's key instead: auth.keys[].tpm",
    "max_parallel_requests": "see providers.NAME.max_inflight",
    "order": "a variant's fallbacks are tried as listed",
    "routing_strategy": "deployments are split by weight; see `sort` for latency and price",
    "tags": "send metadata and write a route with `when`",
    "provider_budget_config": "limit the caller's key instead: auth.keys[].budget_usd_per_day",
    "max_budget": "limit the caller's key instead: auth.keys[].budget_usd_per_day",
    "budget_duration": "limit the caller's key instead: auth.keys[].budget_usd_per_day",
    "database_url": "see `records` for what is written and where",
    "store_model_in_db": "see /router/v1/routers for routers saved while running",
    "alerting": "alert from Prometheus",
    "content_policy_fallbacks": "a request that a provider's filter refuses is answered with that refusal",
    "environment_variables": "set them in the environment of the process",
}


def remark(key: str) -> str:
    """What to do instead, with its separator; empty when nothing is known."""
    return f"; {REMARKS[key]}" if key in REMARKS else ""


def variable(value: Any) -> str:
    """`os.environ/NAME` as `${NAME}`; anything else literally."""
    text = str(value)
    return f"${{{text.removeprefix('os.environ/')}}}" if text.startswith("os.environ/") else text.replace("${", "$${")


def provider_of(model: str) -> tuple[str, str]:
    """A LiteLLM model string as (our provider, the model's own name)."""
    theirs, slash, rest = model.partition("/")
    return (PROVIDERS.get(theirs, theirs), rest) if slash else ("openai", model)


def settings_of(provider: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The provider's entry in the server file, as far as these parameters tell."""
    known = KNOWN.get(provider)
    kind = "litellm" if known is None and not params.get("api_base") else None
    settings: dict[str, Any] = {"kind": kind} if kind else {}
    if base := params.get("api_base") or params.get("base_url"):
        settings["base_url"] = address(variable(base), provider)
        if known is None:
            settings["kind"] = "openai"
        if is_private(settings["base_url"]):
            settings["allow_private"] = True
    if params.get("api_key"):
        key = variable(params["api_key"])
        if not (known and known.variables and key == f"${{{known.variables[0]}}}"):
            settings["api_key"] = key
    headers = {str(name): variable(value) for name, value in _mapping(params.get("extra_headers")).items()}
    if params.get("organization"):
        headers["OpenAI-Organization"] = variable(params["organization"])
    if headers:
        settings["headers"] = headers
    options = {key: variable(params[key]) for key in OPTIONS if key in params}
    if options and (settings.get("kind") or (known.kind if known else "openai")) == "litellm":
        settings["options"] = options
    return settings


def address(base: str, provider: str) -> str:
    """LiteLLM's `api_base` as our `base_url`: Ollama's OpenAI endpoint lies below /v1."""
    return f"{base.rstrip('/')}/v1" if provider == "ollama" and not base.rstrip("/").endswith("/v1") else base


def is_private(base_url: str) -> bool:
    """Whether an address names this machine, a private network or a bare host name (containers)."""
    host = urlsplit(base_url).hostname or ""
    if not host or "$" in host:
        return False
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".localhost"))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
