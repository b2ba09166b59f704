"""What a client may ask for, already checked for shape by the codec. Every event may carry the client's own id.

`at_ms` is a monotonic clock reading made when the event arrived; the machine has no clock of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .items import InputItem, Item
from .settings import Patch


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why a client event was refused. `param` is a wire path, or a setting in our own
    names, e.g. `settings.voice`, which the codec spells."""

    code: str | None
    message: str
    param: str | None = None
    kind: str = "invalid_request_error"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    event_id: str | None = None
    at_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateSession(_Asked):
    """Merge `patch` into the settings, all of it or nothing."""

    patch: Patch


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendAudio(_Asked):
    """Audio in the input format of the session."""

    audio: bytes | bytearray


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitAudio(_Asked):
    """Make a user item of the audio so far."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearAudio(_Asked):
    """Forget the audio that is not committed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearOutput(_Asked):
    """Drop the audio that is queued for output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateItem(_Asked):
    """Add an item: at the end, at the front (`previous_item_id` "root") or after a known item. Empty id: we choose."""

    item: Item
    previous_item_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrieveItem(_Asked):
    """Show an item."""

    item_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteItem(_Asked):
    """Remove an item."""

    item_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TruncateItem(_Asked):
    """The user heard only `audio_end_ms` of this item's audio."""

    item_id: str
    content_index: int
    audio_end_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseOptions:
    """What one response does differently. `overrides` are fields of `SessionSettings`; only those given."""

    in_conversation: bool = True
    input: tuple[InputItem, ...] | None = None
    metadata: Mapping[str, str] | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateResponse(_Asked):
    """Answer now."""

    options: ResponseOptions = ResponseOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelResponse(_Asked):
    """Stop a response: the one named, else the one of the conversation."""

    response_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Malformed(_Asked):
    """A frame the codec refused; it becomes an error event and the session lives on."""

    fault: Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong(_Asked):
    """A sign of life without meaning."""


ClientEvent = (
    UpdateSession
    | AppendAudio
    | CommitAudio
    | ClearAudio
    | ClearOutput
    | CreateItem
    | RetrieveItem
    | DeleteItem
    | TruncateItem
    | CreateResponse
    | CancelResponse
    | Malformed
    | Pong
)
