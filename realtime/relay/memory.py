"""What another upstream has to be told so that the session can go on there: settings, items, and what is unanswered."""

from collections.abc import Mapping
from typing import Any

from .frames import event, opened, size_of, sound_in, with_event_id
from .items import Items
from .tail import APPEND, CLEAR, COMMIT, Said, Tail

Wire = Mapping[str, Any]
UPDATE, CREATE, ASK = "session.update", "conversation.item.create", "response.create"
DELETE, TRUNCATE = "conversation.item.delete", "conversation.item.truncate"
REMEMBERED = frozenset({UPDATE, CREATE, ASK, DELETE, TRUNCATE, COMMIT, CLEAR})
REPLAY = "rr_replay_"
SETTINGS_AGAIN = f"{REPLAY}session"
TALK_BYTES_PER_MS = {"audio/pcm": 48, "pcm16": 48}  # of 24 kHz samples; G.711 has eight
PHONE_BYTES_PER_MS = 8


class Memory:
    """Of one session, over all of its upstreams."""

    def __init__(self, settings: Wire) -> None:
        """`settings`: what the session begins with, as the upstream's dialect writes it."""
        self.settings: dict[str, Any] = dict(settings)
        self.items = Items()
        self.tail = Tail()
        self._speech_ms: tuple[float, float | None] | None = None  # of the turn that is being spoken
        self._effective: Wire = {}  # the session as the upstream last told it

    # --- the client says ---------------------------------------------------------------------------------------------

    def said(self, kind: str, frame: bytes, event_id: str | None, item_id: str | None = None) -> None:
        """Before the frame goes out."""
        if kind == APPEND:
            self.tail.sound(frame)
        elif kind in REMEMBERED:
            self.tail.say(kind, frame, event_id, item_id)

    # --- the upstream says -------------------------------------------------------------------------------------------

    def told(self, kind: str, wire: Wire) -> None:
        """An event of the upstream's that was opened."""
        match kind:
            case "session.created" | "session.updated":
                self._configured(kind, wire)
            case "conversation.item.added" | "conversation.item.done":
                self._item(kind, wire)
            case "response.output_item.done" if isinstance(wire.get("item"), dict):
                self.items.put(wire["item"])
            case "conversation.item.deleted":
                self.tail.answered(DELETE, item_id=_text(wire.get("item_id")) or None)
                self.items.drop(wire.get("item_id"))
            case "conversation.item.truncated":
                self.tail.answered(TRUNCATE, item_id=_text(wire.get("item_id")) or None)
                self.items.cut(wire.get("item_id"), wire.get("audio_end_ms"))
            case "conversation.item.input_audio_transcription.completed":
                self.items.transcribed(wire.get("item_id"), wire.get("transcript"))
            case "input_audio_buffer.speech_started":
                self._speech_ms = (_number(wire.get("audio_start_ms")), None)
                self._rest()
            case "input_audio_buffer.speech_stopped" if self._speech_ms is not None:
                self._speech_ms = (self._speech_ms[0], _number(wire.get("audio_end_ms")))
            case "input_audio_buffer.committed":
                self._committed(wire)
            case "input_audio_buffer.cleared":
                self.tail.cleared()
                self._speech_ms = None
            case _:
                pass

    def sounded(self, item_id: Any, frame: bytes) -> None:
        """Sound of a reply passes."""
        self.items.sounded(item_id, size_of(sound_in(frame, b"delta")) / self._bytes_per_ms("output"))

    def refused(self, event_id: Any) -> None:
        """An error answers a frame."""
        if isinstance(event_id, str):
            self.tail.refused(event_id)

    # --- another upstream --------------------------------------------------------------------------------------------

    def head(self, *, beta: bool) -> list[bytes]:
        """Frames that tell it what the client knows already; their answers are not for the client."""
        frames = []
        if self.settings:
            frames.append(with_event_id(event(UPDATE, session=self.settings), SETTINGS_AGAIN))
        for number, item in enumerate(self.items.again(text="text" if beta else "output_text")):
            frames.append(with_event_id(event(CREATE, item=item), f"{REPLAY}{number}"))
        return frames

    def rest(self) -> list[bytes]:
        """Frames that were not answered for."""
        self._speech_ms = None
        return self.tail.again()

    @property
    def answers_turns(self) -> bool:
        """Whether the upstream answers by itself when the user has finished."""
        detection = self._detection()
        return detection is not None and not (isinstance(detection, dict) and detection.get("create_response") is False)

    @property
    def lost_ms(self) -> float:
        """Sound that nobody has heard and nobody will."""
        return self.tail.lost_bytes / self._bytes_per_ms("input")

    def _configured(self, kind: str, wire: Wire) -> None:
        session = wire.get("session")
        self._effective = session if isinstance(session, dict) else {}
        answered = self.tail.answered(UPDATE) if kind == "session.updated" else None
        asked = opened(answered.frame) if answered is not None else None
        if asked is not None and isinstance(asked.get("session"), dict):
            self.settings = merged(self.settings, asked["session"])
        self._rest()

    def _rest(self) -> None:
        self.tail.rests = self._detection() is not None and self._speech_ms is None

    def _detection(self) -> Any:
        audio = self._effective.get("audio")
        listens = audio.get("input") if isinstance(audio, dict) else self._effective
        return listens.get("turn_detection") if isinstance(listens, dict) else None

    def _item(self, kind: str, wire: Wire) -> None:
        item = wire.get("item")
        if not isinstance(item, dict):
            return
        answered = None
        if kind == "conversation.item.added" and _text(item.get("id")) not in self.items:
            answered = self._created_by_client(item)
        own = opened(answered.frame) if answered is not None else None
        if own is not None and isinstance(own.get("item"), dict):
            item = {**own["item"], "id": item.get("id")}
        self.items.put(item, after=wire.get("previous_item_id"))

    def _created_by_client(self, item: Wire) -> Said | None:
        """The frame that asked for the item; one that is still in the making was asked for by nobody."""
        made = item.get("status") == "in_progress"
        return None if made else self.tail.answered(CREATE, item_id=_text(item.get("id")) or None)

    def _committed(self, wire: Wire) -> None:
        start_ms, end_ms = self._speech_ms or (0.0, None)
        rate = self._bytes_per_ms("input")
        end = float("inf") if end_ms is None else end_ms * rate
        sound = self.tail.committed(start_ms * rate, end)
        self._speech_ms = None
        self._rest()
        item_id = _text(wire.get("item_id"))
        if item_id:
            self.items.heard(item_id, sound)

    def _bytes_per_ms(self, side: str) -> int:
        audio = self._effective.get("audio")
        if isinstance(audio, dict):
            fields = audio.get(side)
            shape = fields.get("format") if isinstance(fields, dict) else None
        else:
            shape = self._effective.get(f"{side}_audio_format")
        kind = shape.get("type") if isinstance(shape, dict) else shape
        return TALK_BYTES_PER_MS.get(kind, PHONE_BYTES_PER_MS) if isinstance(kind, str) else 48


def merged(settings: Wire, change: Wire) -> dict[str, Any]:
    """Settings with a change over them; what is of another type (`server_vad`, `semantic_vad`) is replaced whole."""
    result = dict(settings)
    for name, value in change.items():
        known = result.get(name)
        same = (
            isinstance(known, dict)
            and isinstance(value, dict)
            and value.get("type", known.get("type")) == known.get("type")
        )
        result[name] = merged(known, value) if same and isinstance(known, dict) else value
    return result


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
