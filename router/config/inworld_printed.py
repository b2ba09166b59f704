"""A router file printed as Inworld's nested resource, in the reference's own spelling: camel at the top, snake below.

What Inworld has no word for (`unit`, `salt`, `experiment`, …) is printed under our own name beside the rest.
"""

from typing import Any

from .router_file import Route, RouterFile, SortKey, Variant

_TOP = ("kind", "unit", "salt", "assign", "hash", "fallbacks", "intents", "experiment", "profile", "timeouts",
        "on_interrupt", "attempts", "hedge")  # fmt: skip


def to_inworld(router: RouterFile) -> dict[str, Any]:
    """The router as Inworld's resource. `from_inworld(to_inworld(router)) == router`."""
    written = router.model_dump(mode="json", exclude_unset=True)
    document: dict[str, Any] = {"name": router.router}
    if router.display_name is not None:
        document["displayName"] = router.display_name
    if router.defaults is not None:
        document["defaults"] = _printed_config(written["defaults"], ("fallback", "optimize_prompt"))
    if "routes" in written:
        document["routes"] = [_printed_conditional(route) for route in router.routes]
    if router.default is not None:
        document["defaultRoute"] = _printed_route(router.default)
    return document | {name: written[name] for name in _TOP if name in written}


def _printed_conditional(route: Route) -> dict[str, Any]:
    return {"condition": {"cel_expression": route.when}, "route": _printed_route(route)}


def _printed_route(route: Route) -> dict[str, Any]:
    variants = [{"weight": variant.weight, "variant": _printed_variant(variant)} for variant in route.variants]
    return {"route_id": route.id, "variants": variants}


def _printed_variant(variant: Variant) -> dict[str, Any]:
    written = variant.model_dump(mode="json", exclude_unset=True)
    selection: dict[str, Any] = {key: written[key] for key in ("models", "ignore", "provider") if key in written}
    if "sort" in written:
        selection["sort"] = [_printed_sort(key) for key in variant.sort]
    printed = {"variant_id": variant.id, "model_id": variant.model}
    rest = _printed_config(written, ("fallbacks", "fallback", "web_search", "web_search_options", "compression"))
    return printed | ({"model_selection": selection} if selection else {}) | rest


def _printed_sort(key: SortKey | str) -> dict[str, str]:
    if isinstance(key, str):
        return {"metric": f"SORT_METRIC_{key.upper()}"}
    direction = {"direction": f"SORT_DIRECTION_{key.direction.upper()}"} if key.direction else {}
    return {"metric": f"SORT_METRIC_{key.metric.upper()}"} | direction


def _printed_config(written: dict[str, Any], others: tuple[str, ...]) -> dict[str, Any]:
    printed: dict[str, Any] = {}
    if "parameters" in written:
        config = dict(written["parameters"])
        if isinstance(config.get("stop"), list):
            config["stop_sequences"] = config.pop("stop")
        if isinstance(config.get("logit_bias"), dict):
            bias = config["logit_bias"].items()
            config["logit_bias"] = [{"token_id": token, "bias_value": value} for token, value in bias]
        printed["text_generation_config"] = config
    if "messages" in written:
        printed["message_templates"] = [_printed_message(dict(message)) for message in written["messages"]]
    return printed | {name: written[name] for name in others if name in written}


def _printed_message(message: dict[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    if isinstance(content, list) and all(
        part.keys() == {"type", "text"} and part["type"] == "text" for part in content
    ):
        message["content_items"] = [{"text": part["text"]} for part in message.pop("content")]
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        message["tool_calls"] = [_printed_tool_call(call) for call in calls]
    return message


def _printed_tool_call(call: dict[str, Any]) -> dict[str, Any]:
    function = call.get("function", {})
    rest = {key: value for key, value in call.items() if key not in ("function", "type")}
    arguments = {"args": function["arguments"]} if "arguments" in function else {}
    return rest | {"name": function.get("name")} | arguments
