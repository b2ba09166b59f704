"""The door to the voice floor: opened by the first WebSocket, so that a router that only chats never loads an ear.

numpy, the speech detector's weights and the speech workers cost memory; none of them is imported before.
"""

import asyncio
import gc
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from router.config import Provider, Realtime
from router.proxy.auth import Authenticator
from router.proxy.limits import Limiter
from router.refusal import Refusal
from router.router import Router
from router.upstreams.base import Call, Reply
from router.ws_tide import Tide

from .addresses import refuse_upgrade
from .kernels import settle_kernels
from .stages.weights import VoiceUnavailable, smart_turn_path

if TYPE_CHECKING:
    from .endpoints import VoiceEndpoints
    from .lifetime import Receive, Send
    from .speech.catalogue import SpeechCatalogue
    from .speech.local_stt import SphinxSettings
    from .stages.vad import VadBatcher
    from .studio import TurnObserver

log = logging.getLogger("realtime")
UNAVAILABLE = 503
MISSING = "Voice is not installed on this server; its log says what is missing."


class VoiceDoor:
    """The ASGI callable for WebSockets. `settings` and `authenticator` are asked anew, so a reload reaches them."""

    def __init__(
        self,
        router: Router,
        settings: Callable[[], Realtime],
        authenticator: Callable[[], Authenticator],
        *,
        providers: Callable[[], Mapping[str, Provider]] = dict,
        limiter: Limiter | None = None,
        observers: "Sequence[TurnObserver]" = (),
    ) -> None:
        self._router = router
        self._settings = settings
        self._authenticator = authenticator
        self._providers = providers
        self._limiter = limiter
        self._observers = observers
        self._floor: VoiceEndpoints | None = None
        self._speech: SpeechCatalogue | None = None
        self._opening = asyncio.Lock()
        self._draining = False

    async def __call__(self, scope: Mapping[str, Any], receive: "Receive", send: "Send") -> None:
        """Serve one WebSocket."""
        try:
            floor = await self.open()
        except (VoiceUnavailable, ModuleNotFoundError) as error:
            log.error("voice cannot be served", extra={"fields": {"why": str(error)}})  # noqa: TRY400  no bug: this machine lacks something
            await receive()
            await refuse_upgrade(send, Refusal(UNAVAILABLE, MISSING, code="voice_unavailable", kind="server_error"))
            return
        floor.studio.settings = self._settings()
        floor.authenticator, floor.limiter = self._authenticator(), self._limiter
        await floor(scope, receive, send)

    async def open(self) -> "VoiceEndpoints":
        """Build the voice floor, once. The imports happen in a thread: other calls go on."""
        async with self._opening:
            if self._floor is None:
                build = await asyncio.to_thread(_floor_builder, self._settings())
                self._floor = build(self._router, await self.speech(), self._settings(), self._authenticator())
                self._floor.relay_over(self._providers)
                self._floor.studio.observers.extend(self._observers)
                settle_memory()
            return self._floor

    async def speech(self) -> "SpeechCatalogue":
        """The ears and voices, also for calls over HTTP. Made once; the imports happen in a thread."""
        if self._speech is None:
            catalogue, sphinx_settings = await asyncio.to_thread(_catalogue)
            if self._speech is None:
                grammar = self._settings().transcription.grammar
                sphinx = sphinx_settings(grammar=Path(grammar)) if grammar else None
                self._speech = catalogue(lambda: self._router.state.upstreams, sphinx=sphinx, declared=self._providers)
        return self._speech

    def detector(self) -> "VadBatcher | None":
        """The speech detector, once the floor is open."""
        return None if self._floor is None else self._floor.studio.batcher

    def drain(self) -> None:
        """The server wants to end: tell every session."""
        if self._floor is not None:
            self._floor.drain()

    async def aclose(self) -> None:
        """End workers and connections of the voice floor."""
        if self._floor is not None:
            await self._floor.aclose()
        if self._speech is not None:
            await self._speech.aclose()


class LocalProvider:
    """The provider `local` of the HTTP proxy: opened by the first call that wants to hear or speak."""

    def __init__(self, speech: "Callable[[], Awaitable[SpeechCatalogue]]") -> None:
        self._speech = speech

    async def send(self, call: Call) -> Reply:
        """See `Upstream.send`."""
        catalogue = await self._speech()
        return await catalogue.local_upstream().send(call)

    async def aclose(self) -> None:
        """The engines belong to the voice floor."""


def _catalogue() -> "tuple[type[SpeechCatalogue], type[SphinxSettings]]":
    settle_kernels(os.environ)
    from .speech.catalogue import SpeechCatalogue  # noqa: PLC0415  only when somebody speaks
    from .speech.local_stt import SphinxSettings  # noqa: PLC0415  the same

    return SpeechCatalogue, SphinxSettings


def settle_memory() -> None:
    """Keep the garbage collector away from what the floor is made of, and let it look often at what sessions make.

    Sessions keep what they make, so the young generation is full of what lives: to look through twenty thousand of it
    takes ten milliseconds, in which nobody is heard; through two thousand, one.
    """
    gc.freeze()
    gc.set_threshold(2_000, 20, 20)


def _floor_builder(
    settings: Realtime,
) -> "Callable[[Router, SpeechCatalogue, Realtime, Authenticator], VoiceEndpoints]":
    settle_kernels(os.environ)
    import aiohttp  # noqa: F401, PLC0415  for sessions that are relayed: here, where it holds up nobody

    from .stages.silero import shared_silero  # noqa: PLC0415  only when somebody speaks

    model = shared_silero(settings.vad_weights)
    turn_path, turn_model = smart_turn_path(settings.turn_model), None
    if turn_path is not None:
        from .stages.smart_turn import SmartTurn  # noqa: PLC0415  optional

        turn_model = SmartTurn(turn_path)
    log.info("voice floor open", extra={"fields": {"turns_judged_by": "words" if turn_model is None else "sound"}})

    def build(
        router: Router, speech: "SpeechCatalogue", settings: Realtime, authenticator: Authenticator
    ) -> "VoiceEndpoints":
        from .endpoints import VoiceEndpoints  # noqa: PLC0415  the same
        from .stages.vad import VadBatcher  # noqa: PLC0415  the same
        from .studio import Studio  # noqa: PLC0415  the same

        loop = asyncio.get_running_loop()
        batcher = VadBatcher(model, loop.call_soon)
        studio = Studio(router, settings, batcher, speech, turn_model=turn_model, tide=Tide(loop.call_later))
        return VoiceEndpoints(studio, authenticator)

    return build
