"""Who is calling: API keys, session tokens, client secrets; the same for HTTP and WebSocket.

Keys are found by the SHA-256 of what was presented, and the digest is compared in constant time; an unknown key takes
the same path as a known one. Secrets in a query never reach a log. Without any key the router is open, and then only
on a loopback address (`check_binding`).
"""

import base64
import fnmatch
import hashlib
import hmac
import ipaddress
import re
import urllib.parse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from router.refusal import Refusal

from .faults import refused
from .limits import WITHOUT, Allowance
from .secrets import PREFIX, SecretStore
from .tokens import TokenRefusedError, Tokens

KEY_PROTOCOL = "openai-insecure-api-key."
LONGEST_CREDENTIAL = 8192
LOOPBACK_ORIGIN = re.compile(rb"https?://(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?")
NOBODY = hashlib.sha256(b"nobody").digest()


@dataclass(frozen=True, slots=True)
class Key:
    """A configured API key. `routers` are globs of router names; `write` allows the control plane and forcing."""

    id: str
    secret: str = field(repr=False)
    routers: tuple[str, ...] = ("*",)
    write: bool = False
    allowance: Allowance = WITHOUT
    concurrent_sessions: int | None = None
    packets_per_second: int | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling. `key` is None when the router is open; `session` is what a client secret is bound to."""

    kind: Literal["open", "key", "token", "client_secret"]
    key: Key | None = None
    session: Mapping[str, Any] | None = None

    @property
    def tenant(self) -> str:
        """Whose records these are."""
        return self.key.id if self.key is not None else "open"

    @property
    def allowance(self) -> Allowance:
        """What the caller may use."""
        return self.key.allowance if self.key is not None else WITHOUT

    @property
    def may_write(self) -> bool:
        """Whether the caller may change routers and force variants: a write key itself, or anybody when open."""
        return self.kind == "open" or (self.kind == "key" and self.key is not None and self.key.write)

    def may_route(self, router: str) -> bool:
        """Whether the caller may use (or see) the router of this name."""
        return self.key is None or any(fnmatch.fnmatchcase(router, glob) for glob in self.key.routers)


OPEN = Principal("open")


class Authenticator:
    """Knows every credential that opens the door. One per configuration: a reload makes a new one."""

    def __init__(
        self, keys: Iterable[Key], *, tokens: Tokens, secrets: SecretStore, origins: Iterable[str] | None = None
    ) -> None:
        self.keys = {key.id: key for key in keys}
        self.tokens = tokens
        self.secrets = secrets
        self._origins = None if origins is None else frozenset(origin.encode() for origin in origins)
        self._by_digest: dict[bytes, tuple[bytes, Principal]] = {}
        for key in self.keys.values():
            principal = Principal("key", key)
            for spelling in spellings(key):
                digest = hashlib.sha256(spelling).digest()
                self._by_digest[digest] = (digest, principal)

    @property
    def open(self) -> bool:
        """Whether no key is configured."""
        return not self.keys

    def authenticate(
        self, headers: Mapping[bytes, bytes], *, query: bytes = b"", subprotocols: Sequence[str] = ()
    ) -> Principal:
        """Who calls. `headers` have lower-case names. Raises Refusal 401 (never says which part was wrong).

        A browser's request from a page that may not call is refused with 403, whatever credential it brings.
        """
        presented = _presented(headers) or _from_protocols(subprotocols) or _from_query(query)
        if presented:
            principal = self.recognise(presented)
        elif self.open:
            principal = OPEN
        else:
            raise _missing()
        if (origin := headers.get(b"origin", b"")) and (self._origins is not None or principal is OPEN):
            self.admit_page(origin.lower(), headers.get(b"host", b"").lower())
        return principal

    def admit_page(self, origin: bytes, host: bytes) -> None:
        """Refuse (403) a page that is neither allowed nor our own.

        Without a list of origins: pages of this machine, else every page could spend the keys of an open router.
        """
        if self._origins is None:
            if not LOOPBACK_ORIGIN.fullmatch(origin):
                raise _foreign(
                    "This router has no API keys, so it answers pages of this machine only. Add auth.keys to the "
                    "configuration and send one of them, or list the page in auth.origins."
                )
        elif origin not in self._origins and origin.partition(b"://")[2] != host:
            raise _foreign("Pages of this origin may not call this router: auth.origins does not list it.")

    def recognise(self, presented: bytes) -> Principal:
        """Whose credential this is. Raises Refusal 401."""
        if len(presented) > LONGEST_CREDENTIAL:
            raise _wrong()
        digest = hashlib.sha256(presented).digest()
        known, principal = self._by_digest.get(digest, (NOBODY, OPEN))
        if hmac.compare_digest(known, digest):
            return principal
        if presented.startswith(PREFIX):
            return self._by_secret(presented)
        if presented.count(b".") == 2:
            return self._by_token(presented, digest)
        if self.open:  # SDKs insist on sending some key: without configured keys any will do
            return OPEN
        raise _wrong()

    def _by_secret(self, presented: bytes) -> Principal:
        grant = self.secrets.verify(presented)
        if grant is None:
            raise _wrong()
        return Principal("client_secret", self._owner(grant.tenant), grant.session)

    def _by_token(self, presented: bytes, digest: bytes) -> Principal:
        try:
            subject = self.tokens.verify(presented, digest)
        except TokenRefusedError:
            if self.open:
                return OPEN
            raise _wrong() from None
        return Principal("token", self._owner(subject))

    def _owner(self, tenant: str) -> Key | None:
        key = self.keys.get(tenant)
        if key is None and not self.open:  # its key has been taken away
            raise _wrong()
        return key


def spellings(key: Key) -> tuple[bytes, ...]:
    """Every text that stands for a key: the secret, and base64(id:secret) with and without padding."""
    pair = base64.b64encode(f"{key.id}:{key.secret}".encode())
    return (key.secret.encode(), pair, pair.rstrip(b"="))


def _presented(headers: Mapping[bytes, bytes]) -> bytes:
    scheme, _, rest = headers.get(b"authorization", b"").partition(b" ")
    if rest and scheme.lower() in (b"bearer", b"basic"):
        return rest.strip()
    return headers.get(b"x-api-key", b"") or headers.get(b"api-key", b"")


def _from_protocols(subprotocols: Sequence[str]) -> bytes:
    for name in subprotocols:
        if name.startswith(KEY_PROTOCOL):
            return name.removeprefix(KEY_PROTOCOL).encode("utf-8", "replace")
    return b""


def _from_query(query: bytes) -> bytes:
    if b"authorization=" not in query:
        return b""
    values = urllib.parse.parse_qs(query.decode("latin-1")).get("authorization", [""])
    scheme, _, rest = values[0].partition(" ")
    return rest.strip().encode("utf-8", "replace") if scheme.lower() in ("bearer", "basic") else values[0].encode()


def _missing() -> Refusal:
    message = "No API key was sent. Send it as 'Authorization: Bearer KEY', as Basic id:secret, or as 'x-api-key'."
    return refused(401, message, code="missing_api_key", headers={"www-authenticate": "Bearer"})


def _wrong() -> Refusal:
    message = (
        "This API key (or token) is not known to the router, or has expired. It is the router's key that is asked for."
    )
    return refused(401, message, code="invalid_api_key", headers={"www-authenticate": "Bearer"})


def _foreign(message: str) -> Refusal:
    return refused(403, message, code="origin_not_allowed")


class OpenBindingError(ValueError):
    """The router would be open to the network."""


def check_binding(keys: Sequence[Any], host: str) -> None:
    """Refuse to be open elsewhere than on loopback. Raises OpenBindingError that names the remedy."""
    if keys or host == "localhost":
        return
    bare = re.sub(r"^\[|\]$", "", host)
    try:
        loopback = ipaddress.ip_address(bare).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        message = (
            f"no API key is configured, and {host!r} is not a loopback address: everybody on the network could spend "
            "your provider keys. Add auth.keys to the configuration, or listen on 127.0.0.1."
        )
        raise OpenBindingError(message)
