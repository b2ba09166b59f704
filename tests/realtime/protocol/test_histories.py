"""Random histories of clients and pipelines: whatever happens in whatever order, what clients rely on holds."""

from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from realtime import protocol as p

from .scene import Scene

REPLY_EVENTS = ("OutputItemAdded", "OutputItemDone")
PLACED = ("PartAdded", "PartDone", "TextWritten", "TextDone", "AudioSpoken", "AudioDone", "WordsSpoken", "WordsDone")


@dataclass
class Witness:
    """Follows what comes out, and complains."""

    order: list = field(default_factory=list)
    items_seen: set = field(default_factory=set)
    items_open: set = field(default_factory=set)
    responses: dict = field(default_factory=dict)  # id -> in conversation
    done: set = field(default_factory=set)
    started: set = field(default_factory=set)
    parts: set = field(default_factory=set)
    output_open: set = field(default_factory=set)
    errands: list = field(default_factory=list)  # of tool servers
    questions: list = field(default_factory=list)
    closed: bool = False

    def see(self, output):
        assert not self.closed, "nothing follows the end"
        kind = type(output).__name__
        look = getattr(self, kind, None)
        if look is not None:
            look(output)
        if kind in PLACED or kind.startswith("Arguments") or kind == "ToolServerArguments":
            self.alive(output.place.response_id)
            assert (output.place.response_id, output.place.item_id) in self.output_open
        if kind in PLACED and kind != "PartAdded":
            place = (output.place.item_id, output.place.content_index)
            assert place in self.parts
            if kind == "PartDone":
                self.parts.discard(place)

    def alive(self, response_id):
        assert response_id in self.responses, "announced first"
        assert response_id not in self.done, "nothing follows response.done"

    def ResponseStarted(self, output):  # noqa: N802
        view = output.response
        assert view.id not in self.responses, "ids are used once"
        inside = view.conversation_id is not None
        if inside:
            active = [one for one, main in self.responses.items() if main and one not in self.done]
            assert not active, "one response in the conversation"
        self.responses[view.id] = inside

    def ResponseDone(self, output):  # noqa: N802
        view = output.response
        self.alive(view.id)
        self.done.add(view.id)
        assert view.status != "in_progress"
        assert all(getattr(item, "status", None) != "in_progress" for item in view.output)
        assert not [one for one in self.output_open if one[0] == view.id], "its items are closed first"

    def StartReply(self, output):  # noqa: N802
        self.alive(output.response_id)
        assert output.response_id not in self.started
        self.started.add(output.response_id)
        calls = set()
        for item in output.request.items:
            if isinstance(item, p.FunctionCall):
                calls.add(item.call_id)
            if isinstance(item, p.FunctionOutput):
                assert item.call_id in calls, "an output after its call"

    def OutputItemAdded(self, output):  # noqa: N802
        self.alive(output.response_id)
        self.output_open.add((output.response_id, output.item.id))

    def OutputItemDone(self, output):  # noqa: N802
        self.alive(output.response_id)
        self.output_open.remove((output.response_id, output.item.id))

    def ListTools(self, output):  # noqa: N802
        self.errands.append(output.item_id)

    def CallTool(self, output):  # noqa: N802
        assert output.item_id not in self.errands, "called once"
        self.errands.append(output.item_id)

    def PartAdded(self, output):  # noqa: N802
        self.parts.add((output.place.item_id, output.place.content_index))

    def ItemAdded(self, output):  # noqa: N802
        assert output.item.id not in self.items_seen, "ids are used once"
        self.items_seen.add(output.item.id)
        if getattr(output.item, "kind", "") == "mcp_approval_request":
            self.questions.append(output.item.id)
        self.items_open.add(output.item.id)
        before = output.previous_item_id
        self.order.insert(0 if before is None else self.order.index(before) + 1, output.item.id)

    def ItemDone(self, output):  # noqa: N802
        self.items_open.remove(output.item.id)
        where = self.order.index(output.item.id)
        assert output.previous_item_id == (self.order[where - 1] if where else None)

    def ItemDeleted(self, output):  # noqa: N802
        self.order.remove(output.item_id)
        self.items_open.discard(output.item_id)

    def CloseConnection(self, _output):  # noqa: N802
        self.closed = True


SERVER = {"type": "mcp", "server_label": "files", "server_url": "https://files.example/mcp"}
LISTED = (p.ServerTool("read", {"type": "object"}),)
NUMBER = st.integers(0, 5)
WORDS = st.sampled_from(["", "yes", "tell me more. Please!", " "])


def pick(ids, number):
    return ids[-1 - number % len(ids)] if ids else "nobody"


def some_item(number, witness):
    """Items of all kinds, with own ids, repeated ids and none."""
    item_id = ["", f"mine_{number}", pick(witness.order, number)][number % 3]
    return [
        p.Message(item_id, "user", (p.TextPart("hi"),)),
        p.Message(item_id, "user", (p.AudioPart(None, audio=b"\0\0"),)),
        p.Message(item_id, "assistant", (p.AudioPart(None, audio=b"\0\0"),)),
        p.FunctionCall(item_id, f"call_{number}", "look", "{}"),
        p.FunctionOutput(item_id, f"call_{number % 3}", "blue"),
        p.McpItem(item_id, "mcp_list_tools", {"server_label": "s", "tools": []}),
    ]


def events(scene, witness, number, words):
    """What may happen next, by name."""
    responses, items = list(witness.responses), witness.order
    rid, iid = pick(responses, number), pick(items, number)
    kinds = some_item(number, witness)
    return {
        "append": p.AppendAudio(audio=bytes(4_800 * number)),
        "commit": p.CommitAudio(),
        "clear": p.ClearAudio(),
        "clear_output": p.ClearOutput(),
        "item": p.CreateItem(item=kinds[number], previous_item_id=[None, "root", iid, "nobody"][number % 4]),
        "retrieve": p.RetrieveItem(item_id=iid),
        "delete": p.DeleteItem(item_id=iid),
        "truncate": p.TruncateItem(item_id=iid, content_index=number % 2, audio_end_ms=number * 100),
        "respond": p.CreateResponse(),
        "respond_text": p.CreateResponse(options=p.ResponseOptions(overrides={"modalities": ("text",)})),
        "respond_both": p.CreateResponse(options=p.ResponseOptions(overrides={"modalities": ("text", "audio")})),
        "beside": p.CreateResponse(
            options=p.ResponseOptions(in_conversation=False, input=(p.ItemReference(iid), kinds[number % 2]))
        ),
        "beside_all": p.CreateResponse(options=p.ResponseOptions(in_conversation=False)),
        "cancel": p.CancelResponse(response_id=[None, rid][number % 2]),
        "manual": p.UpdateSession(patch={"turn_detection": None}),
        "listen": p.UpdateSession(patch={"turn_detection": {"idle_timeout_ms": 5000, "create_response": number > 1}}),
        "polite": p.UpdateSession(patch={"turn_detection": {"interrupt_response": number > 2}}),
        "server": p.UpdateSession(patch={"tools": ({**SERVER, "require_approval": ["never", "always"][number % 2]},)}),
        "listed": p.ToolsListed(item_id=pick(witness.errands, number), tools=[LISTED, None][number % 2]),
        "server_call": p.ToolCallStarted(response_id=rid, call_id=f"call_{number}", name="read"),
        "answered": p.ToolAnswered(item_id=pick(witness.errands, number), output=words),
        "approve": p.CreateItem(
            item=p.McpItem(
                "",
                "mcp_approval_response",
                {"approval_request_id": pick(witness.questions, number), "approve": number > 1},
            )
        ),
        "voice": p.UpdateSession(patch={"voice": f"v{number}"}),
        "short": p.UpdateSession(patch={"truncation": [p.Retention(0.5, 10), "disabled", "auto"][number % 3]}),
        "tools_answered": p.UpdateSession(patch={"provider": {"auto_tool_response": number > 2}}),
        "speech": p.SpeechStarted(audio_ms=number * 100.0),
        "silence": p.SpeechStopped(audio_ms=number * 200.0),
        "hint": p.TurnSuggested(probability=0.7),
        "no_hint": p.SuggestionRevoked(),
        "partial": p.TranscriptDelta(item_id=iid, text=words),
        "words": p.TranscriptFinal(item_id=pick(sorted(witness.items_seen), number), text=words),
        "no_words": p.TranscriptFailed(item_id=iid, code="stt_failed", message="no"),
        "text": p.TextDelta(response_id=rid, text=words),
        "call": p.ToolCallStarted(response_id=rid, call_id=f"call_{number}", name="look"),
        "arguments": p.ToolArgumentsDelta(response_id=rid, call_id=f"call_{number}", text="{}"),
        "called": p.ToolCallFinished(response_id=rid, call_id=f"call_{number}"),
        "finished": p.ReplyFinished(
            response_id=rid, reason=["stop", "length", "tool_calls", "content_filter"][number % 4]
        ),
        "failed": p.ReplyFailed(response_id=rid, code="all_failed", message="no"),
        "sound": p.AudioChunk(response_id=rid, audio=bytes(4_800 * number)),
        "segment": p.SegmentStarted(response_id=rid, text=words),
        "segment_done": p.SegmentFinished(response_id=rid),
        "word": p.WordSpoken(response_id=rid, text="tell", end_ms=number * 100.0),
        "spoken": p.SpeakingFinished(response_id=rid),
        "position": p.PlaybackPosition(response_id=rid, heard_ms=number * 50.0),
        "stopped": p.PlaybackStopped(response_id=rid),
        "timer": p.TimerFired(timer_id=f"timer_{number + 1}"),
        "newest_timer": p.TimerFired(timer_id=pick([t.timer_id for t in scene.all("WakeAfter")], 0)),
    }


NAMES = st.sampled_from(list(events(Scene(), Witness(), 0, "")))
LIKELY = st.sampled_from(["speech", "silence", "words", "text", "sound", "finished", "spoken", "append", "respond"])
STEPS = st.lists(st.tuples(NAMES | LIKELY, NUMBER, WORDS, st.integers(0, 3000)), min_size=25, max_size=70)
RULES = st.sampled_from(
    [
        p.SessionRules(quiet_limit_ms=0, session_limit_ms=0),
        p.SessionRules(owns_playback=True, tells_suggestions=True, early_partials=True, quiet_limit_ms=0),
        p.SessionRules(auto_tool_response=True, side_response_limit=1, item_limit=8, ping_interval_ms=30_000),
    ]
)


@given(steps=STEPS, rules=RULES, transcribes=st.booleans(), kind=st.sampled_from(["realtime"] * 4 + ["transcription"]))
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_happens_the_promises_hold(steps, rules, transcribes, kind):
    scene = Scene(rules=rules, kind=kind, transcription={"model": "m"} if transcribes else None)
    witness = Witness()
    for output in scene.history:
        witness.see(output)
    for name, number, words, pause_ms in steps:
        scene.wait(pause_ms)
        scene.machine.foresee(words)
        for output in scene.give(events(scene, witness, number, words)[name]):
            witness.see(output)
    while active := [one for one in witness.responses if one not in witness.done]:
        response_id = active[0]
        for output in scene.give(p.CancelResponse(response_id=response_id)):
            witness.see(output)
    assert set(witness.responses) == witness.done
    unanswered = {entry.item.id for entry in scene.machine._state.conversation if entry.remote is not None}
    assert witness.items_open == unanswered
    assert witness.parts == set()
    assert witness.output_open == set()
