"""What the rooms of one session share: settings, conversation, clock, and the outputs of the present step."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .audio_buffer import AudioBuffer
from .client_events import Fault
from .conversation import Conversation
from .effects import Effect
from .rules import SessionRules
from .server_events import ErrorRaised, ServerEvent
from .settings import SessionSettings
from .usage import Attempts, RateLimit

if TYPE_CHECKING:
    from .remote_calls import RemoteCall

Output = ServerEvent | Effect


@dataclass(slots=True)
class SessionState:
    """Mutable, owned by one machine. `event_id` is that of the client event being answered, if it is one."""

    settings: SessionSettings
    rules: SessionRules
    ids: Callable[[str], str]
    conversation: Conversation
    buffer: AudioBuffer
    now_ms: float = 0.0
    event_id: str | None = None
    out: list[Output] = field(default_factory=list)
    limits: tuple[RateLimit, ...] = ()
    voice_profile: Mapping[str, Any] | None = None
    has_spoken: bool = False  # assistant audio is present: some endpoints lock the voice then
    transcript_attempts: Attempts = ()  # of the user's turn, for the record of the next response
    transcribed_ms: int = 0
    remote_calls: "dict[str, RemoteCall]" = field(default_factory=dict)  # without an output yet, by item
    plays_until_ms: float = 0.0  # clock reading at which the listener has heard all that was sent

    def say(self, *outputs: Output) -> None:
        """Append to what this step gives out."""
        self.out.extend(outputs)

    def refuse(self, code: str | None, message: str, param: str | None = None) -> None:
        """Answer the client's event with an error; the session lives on."""
        self.say(ErrorRaised(Fault(code=code, message=message, param=param), self.event_id))

    def fresh_item_id(self) -> str:
        """An item id that was never used, not even by the client."""
        item_id = self.ids("item")
        while self.conversation.used(item_id):
            item_id = self.ids("item")
        self.conversation.reserve(item_id)
        return item_id
