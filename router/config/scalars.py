"""What every model of a configuration is made of: the base, small types with their bounds, and the forms of texts."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from router import ttft

IDENTIFIER = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
NAME = r"^[^:\s/][^:]*$"
ADDRESS = r"^https?://[^\s]+$"
ORIGIN = r"(?i)^https?://[a-z0-9.\-\[\]:]+$"
STATE = r"^(memory://|rediss?://|unix://).*"
RECORDS = r"^(sqlite:///|postgres(ql)?://|memory://).*"
LONG_TIME = r"^\d+(\.\d+)?[smhdw]$"
FORMS = {  # how each is said to somebody who missed it
    IDENTIFIER: "only letters, digits, '.', '_' and '-', the first a letter or a digit",
    NAME: "no ':', and neither a blank nor a '/' in front",
    ADDRESS: "an address that begins with http:// or https://",
    ORIGIN: "a page's origin as browsers write it, without a path: https://app.example.com",
    STATE: "memory://, redis://HOST:PORT, rediss://… or unix://…",
    RECORDS: "sqlite:///FILE, postgresql://… or memory://",
    ttft.FORM: "a number with ms or s: 800ms, 1.5s",
    LONG_TIME: "a number with s, m, h, d or w: 30m, 2d",
}

Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Identifier = Annotated[str, Field(min_length=1, max_length=200, pattern=IDENTIFIER)]
ModelString = Annotated[str, Field(min_length=1, max_length=300)]


class Model(BaseModel):
    """Frozen, and strict about what it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), hide_input_in_errors=True)
