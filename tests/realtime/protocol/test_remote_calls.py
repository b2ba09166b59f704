"""Tool servers in a session: lists, calls, approvals, and replies that wait for them."""

import pytest

from realtime import protocol as p

from .scene import Scene, one, wire

READ = p.ServerTool("read", {"type": "object"}, "Reads.", {"readOnlyHint": True})
WRITE = p.ServerTool("write", {"type": "object"})
SERVER = {
    "type": "mcp",
    "server_label": "files",
    "server_url": "https://files.example/mcp",
    "require_approval": "never",
}
ASKING = {**SERVER, "require_approval": "always"}


def session(*tools, rules=None, **settings):
    """A written session whose servers have told their tools."""
    scene = Scene(tools=tools or (SERVER,), modalities=settings.pop("modalities", ("text",)), rules=rules, **settings)
    for effect in scene.all("ListTools"):
        scene.give(p.ToolsListed(item_id=effect.item_id, tools=(READ, WRITE)))
    return scene


def call(scene, name="read", arguments='{"path": "a"}'):
    """A response that calls a tool; its id and what came out."""
    scene.give(p.CreateResponse())
    response_id = scene.started.response_id
    out = [*scene.give(p.ToolCallStarted(response_id=response_id, call_id="c1", name=name))]
    out += scene.give(p.ToolArgumentsDelta(response_id=response_id, call_id="c1", text=arguments))
    out += scene.give(p.ToolCallFinished(response_id=response_id, call_id="c1"))
    return response_id, [*out, *scene.give(p.ReplyFinished(response_id=response_id, reason="tool_calls"))]


def contexts(scene):
    return [type(item).__name__ for item in scene.started.request.items]


def test_a_session_that_opens_with_a_server_has_its_tools_listed():
    scene = Scene(tools=(SERVER,))
    names = [type(output).__name__ for output in scene.history]
    assert names[2:5] == ["ItemAdded", "ToolServerProgress", "ListTools"]
    added = one(scene.history, "ItemAdded").item
    assert (added.kind, added.fields) == ("mcp_list_tools", {"server_label": "files", "tools": []})
    out = scene.give(p.ToolsListed(item_id=added.id, tools=(READ, WRITE)))
    assert [type(output).__name__ for output in out] == ["ItemDone", "ToolServerProgress"]
    assert out[1] == p.ToolServerProgress("mcp_list_tools", "completed", added.id)
    assert out[0].item.fields["tools"] == [
        {"name": "read", "input_schema": {"type": "object"}, "description": "Reads.", "annotations": READ.annotations},
        {"name": "write", "input_schema": {"type": "object"}},
    ]
    assert scene.give(p.ToolsListed(item_id=added.id, tools=())) == ()


def test_a_list_that_never_comes_is_told_with_its_reason_and_asked_for_again_by_the_next_update():
    scene = Scene(tools=(SERVER,))
    item_id = scene.all("ListTools")[0].item_id
    out = scene.give(p.ToolsListed(item_id=item_id, reason="the tool server answered 401"))
    assert one(out, "ItemDone").item.fields["error"] == "the tool server answered 401"
    assert one(out, "ToolServerProgress").stage == "failed"
    scene.give(p.CreateResponse())
    assert scene.started.request.tools == ()
    assert len(scene.all("ListTools")) == 1
    scene.give(p.UpdateSession(patch={"tools": (SERVER,)}))
    assert len(scene.all("ListTools")) == 2


def test_a_list_is_asked_for_once_for_each_definition():
    scene = session()
    scene.give(p.UpdateSession(patch={"tools": (SERVER,)}))
    scene.give(p.UpdateSession(patch={"voice": "ash"}))
    assert len(scene.all("ListTools")) == 1
    scene.give(p.UpdateSession(patch={"tools": (ASKING,)}))
    assert len(scene.all("ListTools")) == 2


def test_a_list_that_was_deleted_meanwhile_is_known_all_the_same():
    scene = Scene(tools=(SERVER,), modalities=("text",))
    item_id = scene.all("ListTools")[0].item_id
    scene.give(p.DeleteItem(item_id=item_id))
    assert wire(scene.give(p.ToolsListed(item_id=item_id, tools=(READ,)))) == ["ToolServerProgress"]
    scene.give(p.CreateResponse())
    assert [tool["name"] for tool in scene.started.request.tools] == ["read"]


def test_a_call_is_made_and_its_output_ends_the_response():
    scene = session()
    response_id, out = call(scene)
    assert wire(out) == [
        "OutputItemAdded",
        "ItemAdded",
        "ToolServerArguments",
        "ToolServerArguments",
        "ToolServerProgress",
    ]
    effect = one(out, "CallTool")
    assert (effect.name, effect.arguments, effect.server.url) == ("read", '{"path": "a"}', SERVER["server_url"])
    out = scene.give(p.ToolAnswered(item_id=effect.item_id, output="text of a"))
    assert wire(out) == ["ToolServerProgress", "ItemDone", "OutputItemDone", "ResponseDone"]
    view = one(out, "ResponseDone").response
    assert (view.id, view.status) == (response_id, "completed")
    assert view.output[0].fields["output"] == "text of a"
    scene.give(p.CreateResponse())
    assert contexts(scene) == ["FunctionCall", "FunctionOutput"]
    assert scene.started.request.items[1].output == "text of a"
    assert scene.give(p.ToolAnswered(item_id=effect.item_id, output="again")) == ()


def test_a_call_that_fails_says_so_to_client_and_model():
    scene = session()
    _, out = call(scene)
    error = {"type": "protocol_error", "code": -32602, "message": "no such file"}
    out = scene.give(p.ToolAnswered(item_id=one(out, "CallTool").item_id, error=error))
    assert one(out, "ToolServerProgress").stage == "failed"
    assert one(out, "ItemDone").item.fields["error"] == error
    scene.give(p.CreateResponse())
    assert scene.started.request.items[1].output == "Error: no such file"


def test_a_response_waits_for_the_list_of_a_server_that_it_brings_itself():
    scene = Scene(modalities=("text",))
    scene.give(p.CreateResponse(options=p.ResponseOptions(overrides={"tools": (SERVER,)})))
    assert scene.machine.floor == "waiting"
    out = scene.give(p.ToolsListed(item_id=scene.all("ListTools")[0].item_id, tools=(READ,)))
    assert [tool["name"] for tool in one(out, "StartReply").request.tools] == ["read"]


def test_a_response_beside_the_conversation_waits_as_well_and_shows_the_output():
    scene = session(SERVER)
    options = p.ResponseOptions(in_conversation=False, overrides={"tools": ({**SERVER, "allowed_tools": ["read"]},)})
    scene.give(p.CreateResponse(options=options))
    assert scene.all("StartReply") == []
    scene.give(p.ToolsListed(item_id=scene.all("ListTools")[-1].item_id, tools=(READ, WRITE)))
    response_id = scene.started.response_id
    assert [tool["name"] for tool in scene.started.request.tools] == ["read"]
    scene.give(p.ToolCallStarted(response_id=response_id, call_id="c", name="read"))
    scene.give(p.ReplyFinished(response_id=response_id))
    out = scene.give(p.ToolAnswered(item_id=scene.all("CallTool")[0].item_id, output="beside"))
    assert wire(out) == ["ToolServerProgress", "OutputItemDone", "ResponseDone"]


def test_whoever_spoke_is_answered_without_waiting_for_a_list():
    scene = Scene(tools=(SERVER,))
    assert one(scene.speech(), "StartReply").request.tools == ()


def test_a_response_that_the_client_asks_for_while_a_server_works_comes_after_it():
    scene = session()
    _, out = call(scene)
    assert wire(scene.give(p.CreateResponse())) == []
    out = scene.give(p.ToolAnswered(item_id=one(out, "CallTool").item_id, output="text"))
    assert wire(out)[-2:] == ["ResponseDone", "ResponseStarted"]
    assert one(out, "StartReply").request.items[1].output == "text"


def test_a_call_outlives_a_response_that_was_cancelled():
    scene = session()
    response_id, out = call(scene)
    item_id = one(out, "CallTool").item_id
    cancelled = scene.give(p.CancelResponse(response_id=response_id))
    assert wire(cancelled) == ["OutputItemDone", "ResponseDone"]
    assert one(cancelled, "ResponseDone").response.output[0].fields.get("output") is None
    scene.give(p.CreateResponse())
    assert len(scene.all("StartReply")) == 1, "it waits for the call"
    out = scene.give(p.ToolAnswered(item_id=item_id, output="late"))
    assert wire(out) == ["ToolServerProgress", "ItemDone"]
    assert one(out, "StartReply").request.items[1].output == "late"


def test_arguments_that_were_cut_off_are_no_call():
    scene = session()
    scene.give(p.CreateResponse())
    response_id = scene.started.response_id
    scene.give(p.ToolCallStarted(response_id=response_id, call_id="c", name="read"))
    out = scene.give(p.CancelResponse())
    assert wire(out) == ["ToolServerArguments", "ToolServerProgress", "ItemDone", "OutputItemDone", "ResponseDone"]
    assert one(out, "ItemDone").item.fields["error"]["type"] == "tool_execution_error"
    assert scene.all("CallTool") == []


def asked(scene):
    """A call that asks first: the response is over, the question stands."""
    _, out = call(scene)
    assert wire(out)[-1] == "ResponseDone"
    question = next(output.item for output in out if isinstance(output, p.ItemDone))
    assert (question.kind, question.fields["arguments"]) == ("mcp_approval_request", '{"path": "a"}')
    assert scene.all("CallTool") == []
    return question


def approval(question, *, approve=True, **more):
    fields = {"approval_request_id": question.id, "approve": approve, **more}
    return p.CreateItem(item=p.McpItem("answer_1", "mcp_approval_response", fields))


def test_a_call_that_is_approved_while_its_response_still_sounds_is_answered_beside_it():
    scene = session(ASKING, modalities=("audio",))
    scene.give(p.CreateResponse())
    response_id = scene.started.response_id
    scene.give(p.TextDelta(response_id=response_id, text="Let me see."))
    scene.give(p.ToolCallStarted(response_id=response_id, call_id="c1", name="read"))
    out = scene.give(p.ToolCallFinished(response_id=response_id, call_id="c1"))
    question = next(output.item for output in out if isinstance(output, p.ItemDone))
    scene.give(p.ReplyFinished(response_id=response_id, reason="tool_calls"))
    effect = one(scene.give(approval(question)), "CallTool")
    out = scene.give(p.ToolAnswered(item_id=effect.item_id, output="text"))
    assert wire(out) == ["ToolServerProgress", "ItemDone"]
    assert "ResponseDone" in wire(scene.give(p.SpeakingFinished(response_id=response_id)))


def test_a_call_that_asks_first_is_made_once_it_is_approved():
    scene = session(ASKING)
    question = asked(scene)
    out = scene.give(approval(question))
    assert wire(out) == ["ItemAdded", "ItemDone", "ToolServerProgress"]
    effect = one(out, "CallTool")
    again = p.CreateItem(item=p.McpItem("answer_2", "mcp_approval_response", approval(question).item.fields))
    fault = one(scene.give(again), "ErrorRaised").fault
    assert (fault.code, fault.param) == ("invalid_value", "item.approval_request_id")
    out = scene.give(p.ToolAnswered(item_id=effect.item_id, output="done"))
    assert wire(out) == ["ToolServerProgress", "ItemDone"]
    assert one(out, "ItemDone").item.fields["approval_request_id"] == question.id


@pytest.mark.parametrize(
    ("more", "message"),
    [({}, "The call was not approved."), ({"reason": "too dear"}, "The call was not approved: too dear")],
)
def test_a_call_that_is_not_approved_is_never_made(more, message):
    scene = session(ASKING)
    out = scene.give(approval(asked(scene), approve=False, **more))
    assert scene.all("CallTool") == []
    assert wire(out) == ["ItemAdded", "ItemDone", "ToolServerProgress", "ItemDone"]
    assert out[-1].item.fields["error"]["message"] == message
    scene.give(p.CreateResponse())
    assert scene.started.request.items[-1].output == f"Error: {message}"


def test_a_call_that_still_asks_holds_nobody_up_and_is_not_shown_to_the_model():
    scene = session(ASKING)
    asked(scene)
    scene.give(p.CreateResponse())
    assert contexts(scene) == []


def test_a_call_that_was_deleted_while_it_asked_ends_without_an_item():
    scene = session(ASKING)
    question = asked(scene)
    call_id = next(entry.place.item_id for entry in scene.machine._state.remote_calls.values())
    scene.give(p.DeleteItem(item_id=call_id))
    out = scene.give(approval(question))
    assert wire(scene.give(p.ToolAnswered(item_id=one(out, "CallTool").item_id, output="x"))) == ["ToolServerProgress"]


def test_a_cancelled_response_whose_call_was_deleted_still_closes_what_it_opened():
    scene = session()
    response_id, out = call(scene)
    item_id = one(out, "CallTool").item_id
    scene.give(p.DeleteItem(item_id=item_id))
    assert wire(scene.give(p.CancelResponse(response_id=response_id))) == ["OutputItemDone", "ResponseDone"]


def test_the_session_goes_on_by_itself_where_it_is_wanted():
    scene = session(rules=p.SessionRules(auto_tool_response=True))
    _, out = call(scene)
    out = scene.give(p.ToolAnswered(item_id=one(out, "CallTool").item_id, output="text"))
    assert wire(out)[-2:] == ["ResponseDone", "ResponseStarted"]
    assert wire(scene.give(p.CreateResponse())) == [], "the client's own wish joins it"


def test_it_goes_on_only_when_all_calls_of_a_response_are_answered():
    function = {"type": "function", "name": "look"}
    scene = session(SERVER, function, rules=p.SessionRules(auto_tool_response=True))
    scene.give(p.CreateResponse())
    response_id = scene.started.response_id
    scene.give(p.ToolCallStarted(response_id=response_id, call_id="mine", name="look"))
    scene.give(p.ToolCallStarted(response_id=response_id, call_id="theirs", name="read"))
    scene.give(p.ReplyFinished(response_id=response_id))
    scene.give(p.CreateItem(item=p.FunctionOutput("", "mine", "seen")))
    assert len(scene.all("StartReply")) == 1
    scene.give(p.ToolAnswered(item_id=scene.all("CallTool")[0].item_id, output="read"))
    assert contexts(scene) == ["FunctionCall", "FunctionCall", "FunctionOutput", "FunctionOutput"]
    assert len(scene.all("StartReply")) == 2


def test_a_model_that_never_stops_calling_is_stopped():
    scene = session(rules=p.SessionRules(auto_tool_response=True))
    scene.give(p.CreateResponse())
    for number in range(30):
        response_id = scene.started.response_id
        scene.give(p.ToolCallStarted(response_id=response_id, call_id=f"c{number}", name="read"))
        scene.give(p.ReplyFinished(response_id=response_id))
        scene.give(p.ToolAnswered(item_id=scene.all("CallTool")[-1].item_id, output="more"))
    assert len(scene.all("StartReply")) == 17


@pytest.mark.parametrize(
    ("overrides", "param"),
    [
        ({"tools": ({"type": "mcp", "server_label": "mail"},)}, "response.tools"),
        ({"tool_choice": {"type": "mcp", "server_label": "mail"}}, "response.tool_choice.server_label"),
    ],
)
def test_a_response_that_names_an_unknown_server_is_refused(overrides, param):
    scene = session()
    out = scene.give(p.CreateResponse(options=p.ResponseOptions(overrides=overrides)))
    assert wire(out) == ["ErrorRaised"]
    assert one(out, "ErrorRaised").fault.param == param


def test_a_session_that_names_an_unknown_server_is_refused_whole():
    scene = session()
    out = scene.give(p.UpdateSession(patch={"tool_choice": {"type": "mcp", "server_label": "mail"}}))
    assert one(out, "ErrorRaised").fault.param == "settings.tool_choice.server_label"
    assert scene.machine.settings.tool_choice == "auto"


def test_what_the_rules_refuse_in_an_update_they_refuse_in_a_response():
    fault = p.Fault(code="invalid_value", message="no such prompt", param="settings.prompt.id")
    rules = p.SessionRules(refuse=lambda _, wanted: fault if wanted.prompt else None)
    scene = session(rules=rules)
    out = scene.give(p.CreateResponse(options=p.ResponseOptions(overrides={"prompt": {"id": "x"}})))
    assert one(out, "ErrorRaised").fault.param == "response.prompt.id"
    assert (
        wire(scene.give(p.CreateResponse(options=p.ResponseOptions(overrides={"instructions": "x"}))))[0]
        != "ErrorRaised"
    )


def test_an_old_call_that_a_client_brings_back_is_shown_to_the_model():
    scene = session()
    fields = {"server_label": "files", "name": "read.all", "arguments": "{}", "output": "old"}
    scene.give(p.CreateItem(item=p.McpItem("mcp_1", "mcp_call", fields)))
    scene.give(p.CreateItem(item=p.McpItem("mcp_2", "mcp_call", {**fields, "output": None, "error": "broken"})))
    scene.give(p.CreateResponse())
    items = scene.started.request.items
    assert [item.name for item in items[::2]] == ["read_all", "read_all"]
    assert [item.output for item in items[1::2]] == ["old", "Error: broken"]
