"""Session tokens: JWTs that the router signs for the holder of a key, and the signed request that asks for one.

Tokens: HS256 and nothing else, `iss`, `aud`, `sub`, `exp` required, `crit` refused, at most 8 KiB, 30 s of leeway
(RFC 8725). The request is signed with IW1-HMAC-SHA256: a chain of HMACs over date, host, method and nonce with raw
bytes carried between the steps; a nonce is good once within the five minutes a date may be off.
"""

import datetime as dt
import hashlib
import hmac
import re
import uuid
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from .faults import refused

ALGORITHM = "HS256"
ISSUER = "realtime-router"
LONGEST_TOKEN = 8192
LEEWAY_S = 30
REMEMBERED = 4096
SHORTEST_SECRET = 32

COMPACT = re.compile(rb"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")  # RFC 7515: no padding
SCHEME = "IW1-HMAC-SHA256"
ENGINE_HOST = "api-engine.inworld.ai"
METHOD = "ai.inworld.engine.WorldEngine/GenerateToken"
SKEW_S = 300
SIGNED = re.compile(
    SCHEME + r" ApiKey=([^,\s]{1,256}), ?DateTime=(\d{14}), ?Nonce=([0-9A-Za-z_-]{1,128}), ?Signature=([0-9a-f]{64})"
)


class TokenRefusedError(ValueError):
    """A token that does not open the door."""


class Tokens:
    """Signs and verifies session tokens. `wall` is Unix time; verified tokens are remembered by their digest."""

    def __init__(self, secret: bytes, *, ttl_s: int, wall: Callable[[], float]) -> None:
        if len(secret) < SHORTEST_SECRET:
            message = f"auth.jwt.secret: must be at least {SHORTEST_SECRET} bytes long, has {len(secret)}"
            raise ValueError(message)
        self._secret = secret
        self._ttl_s = ttl_s
        self._wall = wall
        self._verified: OrderedDict[bytes, tuple[str, float]] = OrderedDict()

    def issue(self, subject: str, *, workspace: str) -> tuple[str, float]:
        """A token for a key's holder, and when it ends (Unix time)."""
        import jwt  # noqa: PLC0415  with its cryptography it takes a tenth of the start, and many never need it

        now_s = int(self._wall())
        claims = {
            "iss": ISSUER,
            "aud": ISSUER,
            "sub": subject,
            "iat": now_s,
            "exp": now_s + self._ttl_s,
            "jti": str(uuid.uuid4()),
            "workspace": workspace,
        }
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM), float(now_s + self._ttl_s)

    def verify(self, token: bytes, digest: bytes) -> str:
        """The subject of a token. Raises TokenRefusedError."""
        seen = self._verified.get(digest)
        if seen is not None and seen[1] + LEEWAY_S > self._wall():
            return seen[0]
        subject, ends_s = self._read(token)
        self._verified[digest] = (subject, ends_s)
        if len(self._verified) > REMEMBERED:
            self._verified.popitem(last=False)
        return subject

    def _read(self, token: bytes) -> tuple[str, float]:
        if len(token) > LONGEST_TOKEN or not COMPACT.fullmatch(token):
            raise TokenRefusedError
        import jwt  # noqa: PLC0415  the same

        try:
            if "crit" in jwt.get_unverified_header(token):
                raise TokenRefusedError
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],
                audience=ISSUER,
                issuer=ISSUER,
                options={
                    "require": ["exp", "iss", "aud", "sub"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
            ends_s, starts_s = _moment(claims["exp"]), _moment(claims.get("nbf", 0))
        except (jwt.PyJWTError, UnicodeError, RecursionError, TypeError, ValueError):
            raise TokenRefusedError from None
        if not starts_s - LEEWAY_S <= self._wall() < ends_s + LEEWAY_S:  # also false for NaN
            raise TokenRefusedError
        subject: str = claims["sub"]
        return subject, ends_s


def _moment(claim: object) -> float:
    """A NumericDate. Raises TypeError for anything else: a text of digits is none."""
    if isinstance(claim, bool) or not isinstance(claim, int | float):
        raise TypeError
    return float(claim)


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """The Authorization header of a request for a token."""

    key_id: str
    date: str
    nonce: str
    signature: str


def parse_signed(authorization: str) -> SignedRequest:
    """Read the header. Raises Refusal 401."""
    match = SIGNED.fullmatch(authorization.strip())
    if match is None:
        form = f"{SCHEME} ApiKey=…,DateTime=YYYYMMDDHHMMSS,Nonce=…,Signature=…"
        raise refused(401, f"A token is asked for with 'Authorization: {form}'.", code="invalid_signature")
    return SignedRequest(*match.groups())


def sign(secret: str, *, date: str, nonce: str) -> str:
    """The signature of a request for a token, lower-case hex."""
    key = b"IW1" + secret.encode()
    for part in (date, ENGINE_HOST, METHOD, nonce, "iw1_request"):
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    return key.hex()


class Nonces:
    """Signed requests already honoured: each nonce is good once while its date would still be accepted."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._seen: OrderedDict[tuple[str, str], float] = OrderedDict()

    def check(self, asked: SignedRequest, secret: str) -> None:
        """Raises Refusal 403 for a wrong signature, a date more than five minutes off, or a nonce seen before."""
        good = hmac.compare_digest(sign(secret, date=asked.date, nonce=asked.nonce), asked.signature)
        try:
            moment = dt.datetime.strptime(asked.date, "%Y%m%d%H%M%S").replace(tzinfo=dt.UTC)
            off_s = abs(moment.timestamp() - self._wall())
        except (ValueError, OverflowError):
            off_s = float("inf")
        if not good or off_s > SKEW_S:
            message = "invalid authorization signature (or its DateTime is more than five minutes off)"
            raise refused(403, message, code="invalid_signature")
        self._spend((asked.key_id, asked.nonce))

    def _spend(self, nonce: tuple[str, str]) -> None:
        now_s = self._wall()
        while self._seen and next(iter(self._seen.values())) < now_s:
            self._seen.popitem(last=False)
        if nonce in self._seen:
            raise refused(403, "This nonce has been used; sign every request anew.", code="nonce_replayed")
        self._seen[nonce] = now_s + 2 * SKEW_S
