"""What one response does differently from its session: the settings that makes, and whether they may be."""

from dataclasses import replace

from .client_events import ResponseOptions
from .settings import SessionSettings
from .state import SessionState
from .tool_servers import is_remote, unknown_server, whole


def overridden(state: SessionState, options: ResponseOptions) -> SessionSettings:
    """The session's settings with what a response does differently."""
    settings = state.settings
    wanted = settings.patched(options.overrides)
    return replace(wanted, tools=whole(wanted.tools, settings.tools)) if "tools" in options.overrides else wanted


def objects(state: SessionState, options: ResponseOptions) -> bool:
    """Refuse what a response names and nobody knows, as an update of the session would; whether it was refused."""
    overrides = options.overrides
    if not overrides:
        return False
    wanted = overridden(state, options)
    lost = next((tool["server_label"] for tool in wanted.tools if is_remote(tool) and "server_url" not in tool), None)
    if lost is not None:
        message = f"The session has no tool server {lost!r}; give its server_url."
        state.refuse("invalid_value", message, "response.tools")
        return True
    label = unknown_server(wanted.tools, wanted.tool_choice)
    if label is not None and ("tool_choice" in overrides or "tools" in overrides):
        message = f"tool_choice names the tool server {label!r}, which is not among the tools."
        state.refuse("invalid_value", message, "response.tool_choice.server_label")
        return True
    fault = state.rules.refuse(state.settings, wanted)
    if fault is not None:
        param = fault.param and fault.param.replace("settings.", "response.", 1)
        state.refuse(fault.code, fault.message, param)
    return fault is not None
