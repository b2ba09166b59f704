"""The course of a relayed session, pure: frames of both sides in, frames for both sides out, notes about what happened.

Most frames pass as they are. Opened are those that matter when the upstream dies, and the few that speak of what only
we know: the model, the attempts, the session's id. One course outlives its upstreams; the client sees one session.
"""

import sys
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from .asking import NOT_JSON, asked_of
from .endings import tellable
from .frames import OWN_ID, event, glance, opened, with_event_id, written
from .memory import ASK, CREATE, REMEMBERED, REPLAY, SETTINGS_AGAIN, UPDATE, Memory
from .names import Spelling
from .notes import ITEMS, OPENED, Note, Sides
from .responses import SOUND, Responses, used
from .tail import APPEND, COMMIT

Wire = Mapping[str, Any]


class Course:
    """One session. `attempts()` is what a response's metadata says, ready to be written; `models` are the names that
    `session.model` may repeat; `settings` what the session begins with; `ends_at_s` (Unix time) is when we end it."""

    def __init__(
        self,
        attempts: Callable[[], Any],
        models: frozenset[str],
        settings: Wire,
        *,
        ends_at_s: int = sys.maxsize,
        client_beta: bool = False,
    ) -> None:
        self._attempts = attempts
        self.models = models
        self._ends_at_s = ends_at_s
        self._spelling = Spelling(client_beta, client_beta)
        self._memory = Memory(settings)
        self._responses = Responses()
        self._session_id: str | None = None
        self._ids = 0
        self._hidden: set[tuple[str, str]] = set()  # answers to what the client knows: kind and item
        self._hidden_updates = 0
        self._held: bytes | None = None  # an error that may be the upstream's last word
        self._turn_owed = False  # the user has finished, and the upstream answers that by itself
        self._again: list[bytes] = []  # what is asked once more of the next upstream
        self.last_error: Wire | None = None  # where an error was the upstream's last word
        self.notes: deque[Note] = deque()

    @property
    def waits(self) -> bool:
        """Whether the upstream surely owes us something: a turn it may find not worth an answer."""
        return len(self._responses) > 0 or self._memory.tail.waits(ASK)

    @property
    def busy(self) -> bool:
        """Whether a response is under way."""
        return len(self._responses) > 0

    # --- from the client ---------------------------------------------------------------------------------------------

    def from_client(self, frame: bytes) -> Sides:
        """One text frame of the client's."""
        seen = glance(frame)
        if seen is None:
            return Sides(down=[event("error", error=NOT_JSON)])
        if seen.kind == APPEND:
            self._memory.said(APPEND, frame, None)
            return Sides(up=[frame])
        if seen.kind not in REMEMBERED:
            return Sides(up=[frame])
        asked = asked_of(seen, frame, self._spelling, self.models)
        if asked.fault is not None:
            return Sides(down=[event("error", error=asked.fault)])
        frame, event_id = asked.frame, seen.event_id
        if not isinstance(event_id, str):
            self._ids += 1
            event_id = f"{OWN_ID}{self._ids}"
            frame = with_event_id(frame, event_id)
        self._memory.said(seen.kind, frame, event_id, asked.item_id)
        return Sides(up=[frame])

    # --- from the upstream -------------------------------------------------------------------------------------------

    def from_upstream(self, frame: bytes) -> list[bytes]:
        """One text frame of the upstream's: what the client gets."""
        out, self._held, self.last_error = ([] if self._held is None else [self._held]), None, None
        seen = glance(frame)
        if seen is None:
            self.notes.append(Note("odd"))
            return out
        kind = self._spelling.present(seen.kind)
        if kind == SOUND:
            if self._responses.sounded(seen.response_id):
                self.notes.append(Note("sounded", str(seen.response_id)))
            self._memory.sounded(seen.item_id, frame)
        elif kind in OPENED:
            wire = opened(frame)
            if wire is None:
                self.notes.append(Note("odd"))
                return out
            change = self._opened(kind, wire)
            if change is None:
                return out
            frame = frame if change is wire else written(change)
        told = self._spelling.to_client(frame, seen.kind, kind)
        return out if told is None else [*out, told]

    def _opened(self, kind: str, wire: dict[str, Any]) -> Wire | None:
        """An event that was opened: itself, another in its place, or None where it is not for the client."""
        match kind:
            case "session.created" | "session.updated":
                return self._session(kind, wire)
            case "conversation.item.added" | "conversation.item.done" if self._hides(kind, wire):
                return None
            case "error":
                return self._error(wire)
            case "input_audio_buffer.committed":
                self._turn_owed = self._memory.answers_turns and not self._memory.tail.waits(COMMIT)
            case "response.created":
                self._turn_owed = False
                answered = self._memory.tail.answered(ASK)
                name = self._responses.began(wire, answered.frame if answered is not None else None)
                self.notes.append(Note("began", name or ""))
            case "response.done":
                return self._done(wire)
            case "input_audio_buffer.speech_started" | "input_audio_buffer.speech_stopped":
                self._turn_owed = False
                self.notes.append(Note(kind.rpartition("_")[2]))
            case _:
                self._responses.told(kind, wire)
                if not self._responses.converses(wire.get("response_id")):
                    return wire
        self._memory.told(kind, wire)
        return wire

    def _session(self, kind: str, wire: dict[str, Any]) -> Wire | None:
        session = wire.get("session")
        hidden = self._session_id is not None if kind == "session.created" else self._hidden_updates > 0
        if kind == "session.updated":
            self._hidden_updates = max(0, self._hidden_updates - 1)
        self._memory.told("session.created" if hidden else kind, wire)
        if not isinstance(session, dict):
            return None if hidden else wire
        if self._session_id is None:
            self._session_id = str(session.get("id"))
        if hidden:
            return None
        own: dict[str, Any] = {}
        if session.get("id") not in (None, self._session_id):
            own["id"] = self._session_id
        ends = session.get("expires_at")
        if isinstance(ends, int) and ends > self._ends_at_s:
            own["expires_at"] = self._ends_at_s
        return {**wire, "session": {**session, **own}} if own else wire

    def _hides(self, kind: str, wire: Wire) -> bool:
        item = wire.get("item")
        key = (kind, str(item.get("id")) if isinstance(item, dict) else "")
        hidden = key in self._hidden
        self._hidden.discard(key)
        return hidden

    def _error(self, wire: dict[str, Any]) -> Wire | None:
        told = wire.get("error")
        told = told if isinstance(told, dict) else {}
        event_id = told.get("event_id")
        self._memory.refused(event_id)
        self.last_error = told
        told = tellable(told)
        wire = {**wire, "error": told}
        if event_id == SETTINGS_AGAIN:  # the client must know: they do not hold here
            self._hidden_updates = 0
        elif isinstance(event_id, str) and event_id.startswith(REPLAY):
            self.notes.append(Note("odd"))
            return None
        if isinstance(event_id, str) and event_id.startswith(OWN_ID):
            return {**wire, "error": {**told, "event_id": None}}
        if event_id is None and told.get("type") != "invalid_request_error":
            self._held = written(wire)
            return None
        return wire

    def _done(self, wire: dict[str, Any]) -> Wire:
        response = wire.get("response")
        name = str(response.get("id")) if isinstance(response, dict) else ""
        if self._responses.ended(wire):
            self.notes.append(Note("done", name, wire, used(wire)))
        if not isinstance(response, dict):
            return wire
        return {**wire, "response": self._reported(response)}

    def _reported(self, response: Wire) -> dict[str, Any]:
        known, details = response.get("metadata"), response.get("status_details")
        if isinstance(details, dict) and isinstance(details.get("error"), dict):
            response = {**response, "status_details": {**details, "error": tellable(details["error"])}}
        return {**response, "metadata": {**(known if isinstance(known, dict) else {}), "attempts": self._attempts()}}

    # --- from one upstream to the next -------------------------------------------------------------------------------

    def lost(self, fault: Wire, *, silent: bool = False) -> list[bytes]:
        """The upstream is gone: every response under way ends with this error. `silent`: its last word is kept back."""
        held, self._held = self._held, None
        frames = [] if held is None or silent else [self._shown(held)]
        for broken in self._responses.break_off(fault):
            for one in broken.events:
                if one["type"] == "response.done":
                    self.notes.append(Note("done", str(one["response"]["id"]), one))
                    one["response"] = self._reported(one["response"])
                frames.append(self._shown(written(one)))
            for item in broken.items:
                self._memory.items.put(item)
            if broken.again:
                self._again.append(broken.asked or event(ASK))
        return [frame for frame in frames if frame]

    def begin(self, *, beta: bool) -> list[bytes]:
        """The first upstream is there, which speaks the beta or not: the settings that the session begins with."""
        self._meet(beta=beta)
        return self._memory.head(beta=beta)

    def resume(self, *, beta: bool) -> list[bytes]:
        """Another upstream is there: what it has to be told, in order."""
        self._meet(beta=beta)
        head = self._memory.head(beta=beta)
        created = [opened(frame) or {} for frame in head]
        self._hidden_updates = sum(wire["type"] == UPDATE for wire in created)
        items = {str(wire["item"].get("id")) for wire in created if wire["type"] == CREATE}
        self._hidden = {(kind, name) for kind in ITEMS for name in items}
        again, self._again = self._again, []
        if self._turn_owed and not again:
            again = [event(ASK)]
        return [*head, *again, *self._memory.rest()]

    def _meet(self, *, beta: bool) -> None:
        self._memory.settings = self._spelling.settings_for(self._memory.settings, beta=beta)
        self._spelling = self._spelling.with_upstream(beta=beta)
        self.last_error = None

    def said_again(self) -> tuple[int, float]:
        """What the last change of upstreams was about: items told again, milliseconds of sound that were lost."""
        return len(self._memory.items), self._memory.lost_ms

    def _shown(self, frame: bytes) -> bytes:
        """A frame of our own, written as of today, for the client."""
        seen = glance(frame)
        kind = seen.kind if seen is not None else ""
        return self._spelling.own(frame, kind) or b""
