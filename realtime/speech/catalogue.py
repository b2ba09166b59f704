"""From a target's name to what hears or speaks: `local/pocketsphinx`, `local/rms`, `openai/whisper-1`, …

Local engines are shared by all sessions of this server and start at first use; every other provider is a configured
upstream that speaks OpenAI over HTTP.
"""

from collections.abc import Callable, Mapping

from policies import Outcome, Target, Timeouts
from realtime.stages.base import Speaker, Transcriber
from router.config import Provider
from router.upstreams.base import Upstream, UpstreamFault

from .local_stt import PocketsphinxTranscriber, SphinxSettings
from .local_tts import LocalSpeaker
from .local_upstream import LocalSpeechUpstream
from .openai_hearing import HttpTranscriber
from .openai_http import HttpSpeechSettings
from .openai_speaking import HttpSpeaker
from .scripted import ScriptedSpeaker, ScriptedTranscriber

DEFAULT_TIMEOUTS = Timeouts()
LOCAL_EARS = ("auto", "pocketsphinx")


class SpeechCatalogue:
    """The ears and voices of one server. Belongs to one event loop; create it inside."""

    def __init__(
        self,
        upstreams: Callable[[], Mapping[str, Upstream]],
        *,
        sphinx: SphinxSettings | None = None,
        declared: Callable[[], Mapping[str, Provider]] = dict,
    ) -> None:
        """`upstreams` and `declared` (what the file says of providers) are asked anew: a reload reaches them."""
        self._upstreams = upstreams
        self._declared = declared
        self._ears = PocketsphinxTranscriber(sphinx)
        self._voices: dict[str, LocalSpeaker] = {}
        self._shared = LocalSpeaker()

    async def warm(self) -> None:
        """Start the local recogniser now, so that the first utterance does not wait. Raises UpstreamFault."""
        await self._ears.warm()

    def transcriber(self, target: Target, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> Transcriber:
        """What hears. Raises UpstreamFault for a name that nothing answers to."""
        if target.provider == "local":
            if target.model not in LOCAL_EARS:
                raise UpstreamFault(
                    Outcome.MODEL_NOT_FOUND, f"there is no local ear {target.model!r}; use local/pocketsphinx"
                )
            return self._ears
        if target.provider == "scripted":
            return ScriptedTranscriber(target.model)
        return HttpTranscriber(self._upstream(target), target, timeouts, self._settings(target))

    def speaker(self, target: Target, timeouts: Timeouts = DEFAULT_TIMEOUTS) -> Speaker:
        """What speaks. Raises UpstreamFault for a provider that is not configured."""
        if target.provider == "local":
            return self._voices.setdefault(target.model, self._shared.with_voice(target.model))
        if target.provider == "scripted":
            return ScriptedSpeaker(target.model)
        return HttpSpeaker(self._upstream(target), target, timeouts, self._settings(target))

    def local_upstream(self) -> Upstream:
        """The provider `local` for the HTTP proxy, over the same engines."""
        return LocalSpeechUpstream(self.transcriber, self.speaker)

    def _settings(self, target: Target) -> HttpSpeechSettings:
        provider = self._declared().get(target.provider)
        if provider is None:
            return HttpSpeechSettings()
        said = provider.speech
        return HttpSpeechSettings(said.rate, said.voice, said.word_times, said.steering, said.extras)

    def _upstream(self, target: Target) -> Upstream:
        upstreams = self._upstreams()
        found = upstreams.get(target.provider)
        if found is None:
            have = ", ".join(sorted({"local", *upstreams}))
            raise UpstreamFault(Outcome.MODEL_NOT_FOUND, f"{target.name}: no such provider; there are {have}")
        return found

    async def aclose(self) -> None:
        """End the local engines. Upstreams belong to the router."""
        await self._ears.aclose()
        await self._shared.aclose()
