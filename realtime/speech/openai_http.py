"""Speech targets that speak OpenAI's HTTP, over the router's upstreams: what hearing and speaking share."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from policies import Target, Timeouts
from router.upstreams.base import Reply, Upstream
from router.verdict import failed


@dataclass(frozen=True, slots=True)
class HttpSpeechSettings:
    """What servers differ in."""

    speech_rate: int = 24_000  # of `response_format: pcm`
    voice: str = "alloy"
    word_times: bool = False  # ask for `verbose_json`, which not every server and model knows
    steering: tuple[str, ...] = ()  # models that follow steering tags, as patterns
    extras: tuple[str, ...] = ()  # names of a client's further wishes that are passed on

    def passed_on(self, extras: Mapping[str, Any]) -> dict[str, Any]:
        """The wishes that this server takes."""
        return {name: extras[name] for name in self.extras if name in extras}


async def accepted(reply: Reply) -> Reply:
    """The reply, when it is a success. Raises UpstreamFault, and closes the reply, when not."""
    if 200 <= reply.status < 300:
        return reply
    try:
        body = await reply.body(64 * 1024)
    finally:
        reply.close()
    raise failed(reply.status, reply.headers, body, time.time())


class HttpModel:
    """A speech model of a server that speaks OpenAI."""

    def __init__(
        self,
        upstream: Upstream,
        target: Target,
        timeouts: Timeouts,
        settings: HttpSpeechSettings | None = None,
    ) -> None:
        self._upstream = upstream
        self._target = target
        self._timeouts = timeouts
        self._settings = settings or HttpSpeechSettings()

    async def aclose(self) -> None:
        """The upstream is shared and stays open."""
