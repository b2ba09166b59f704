"""Who hears and who speaks for a target: the local engines, or an OpenAI-compatible server. Made once, kept."""

from policies import Outcome, Target
from realtime.stages.base import Speaker, Transcriber
from router.router import Router
from router.upstreams.base import UpstreamFault

from .local_stt import PocketsphinxTranscriber
from .local_tts import LocalSpeaker

LOCAL = "local"


class SpeechRegistry:
    """Speech targets by name."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self._transcribers: dict[str, Transcriber] = {}
        self._speakers: dict[str, Speaker] = {}

    def transcriber(self, target: Target) -> Transcriber:
        """The transcriber of a target. Raises UpstreamFault when this provider cannot hear."""
        found = self._transcribers.get(target.name)
        if found is None:
            if target.provider != LOCAL:
                raise UpstreamFault(Outcome.MODEL_NOT_FOUND, f"{target.provider!r} does not transcribe")
            found = self._transcribers[target.name] = PocketsphinxTranscriber()
        return found

    def speaker(self, target: Target) -> Speaker:
        """The speaker of a target. Raises UpstreamFault when this provider cannot speak."""
        found = self._speakers.get(target.name)
        if found is None:
            if target.provider != LOCAL:
                raise UpstreamFault(Outcome.MODEL_NOT_FOUND, f"{target.provider!r} does not speak")
            found = self._speakers[target.name] = LocalSpeaker(target.model)
        return found

    async def aclose(self) -> None:
        """End workers and connections."""
        for transcriber in self._transcribers.values():
            await transcriber.aclose()
        for speaker in self._speakers.values():
            await speaker.aclose()
