"""Providers known by name: kind, base URL, usual key variable. `provider/model` works for each that has its key."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from .models import Provider, ProviderKind
from .variables import lookup

OLLAMA_PORT = 11434


@dataclass(frozen=True, slots=True)
class KnownProvider:
    """What a name stands for. `variables` in order of preference; none: needs no key."""

    kind: ProviderKind = "openai"
    base_url: str | None = None
    variables: tuple[str, ...] = ()
    allow_private: bool = False
    base_url_variable: str | None = None


KNOWN: Mapping[str, KnownProvider] = {
    "openai": KnownProvider("openai", "https://api.openai.com/v1", ("OPENAI_API_KEY",), False, "OPENAI_BASE_URL"),
    "anthropic": KnownProvider("litellm", None, ("ANTHROPIC_API_KEY",)),
    "gemini": KnownProvider(
        "openai",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    ),
    "groq": KnownProvider("openai", "https://api.groq.com/openai/v1", ("GROQ_API_KEY",)),
    "mistral": KnownProvider("openai", "https://api.mistral.ai/v1", ("MISTRAL_API_KEY",)),
    "xai": KnownProvider("openai", "https://api.x.ai/v1", ("XAI_API_KEY",)),
    "deepseek": KnownProvider("openai", "https://api.deepseek.com/v1", ("DEEPSEEK_API_KEY",)),
    "deepinfra": KnownProvider("openai", "https://api.deepinfra.com/v1/openai", ("DEEPINFRA_API_KEY",)),
    "together": KnownProvider("openai", "https://api.together.xyz/v1", ("TOGETHER_API_KEY", "TOGETHERAI_API_KEY")),
    "fireworks": KnownProvider("openai", "https://api.fireworks.ai/inference/v1", ("FIREWORKS_API_KEY",)),
    "openrouter": KnownProvider("openai", "https://openrouter.ai/api/v1", ("OPENROUTER_API_KEY",)),
    "cerebras": KnownProvider("openai", "https://api.cerebras.ai/v1", ("CEREBRAS_API_KEY",)),
    "perplexity": KnownProvider("openai", "https://api.perplexity.ai", ("PERPLEXITY_API_KEY", "PERPLEXITYAI_API_KEY")),
    "nvidia": KnownProvider("openai", "https://integrate.api.nvidia.com/v1", ("NVIDIA_API_KEY",)),
    "inworld": KnownProvider("openai", "https://api.inworld.ai/v1", ("INWORLD_API_KEY",)),
    "cohere": KnownProvider("litellm", None, ("COHERE_API_KEY",)),
    "azure": KnownProvider("litellm", None, ("AZURE_API_KEY",)),
    "bedrock": KnownProvider("litellm", None, ("AWS_BEARER_TOKEN_BEDROCK",)),
    "vertex_ai": KnownProvider("litellm", None, ("VERTEXAI_PROJECT",)),
    "ollama": KnownProvider("openai", f"http://127.0.0.1:{OLLAMA_PORT}/v1", (), allow_private=True),
    "lmstudio": KnownProvider("openai", "http://127.0.0.1:1234/v1", (), allow_private=True),
    "vllm": KnownProvider("openai", "http://127.0.0.1:8000/v1", (), allow_private=True),
    "demo": KnownProvider("demo"),
    "local": KnownProvider("local"),
}
ALWAYS = ("demo", "local")
SAME_AS: Mapping[str, str] = {"google-ai-studio": "gemini", "google-vertex": "vertex_ai"}  # Inworld's names


def complete(name: str, provider: Provider | None, environ: Mapping[str, str]) -> Provider:
    """`provider` with what its name is known for filled in where the file does not say."""
    known = KNOWN.get(SAME_AS.get(name, name))
    given = provider or Provider()
    if known is None:
        return given
    said = given.model_fields_set
    values: dict[str, object] = {}
    if "kind" not in said:
        values["kind"] = known.kind
    if "base_url" not in said:
        override = environ.get(known.base_url_variable) if known.base_url_variable else None
        values["base_url"] = override or known.base_url
    if "allow_private" not in said:
        values["allow_private"] = known.allow_private and "base_url" not in said
    if "api_key" not in said:
        key = key_of(known, environ)
        values["api_key"] = SecretStr(key) if key else None
    return given.model_copy(update=values)


def key_of(known: KnownProvider, environ: Mapping[str, str]) -> str | None:
    """The key in the first usual variable that is set."""
    return next((value for name in known.variables if (value := lookup(name, environ))), None)


def from_environment(environ: Mapping[str, str]) -> dict[str, Provider]:
    """Every known provider whose usual key variable is set, and those that are built in."""
    names = [name for name, known in KNOWN.items() if name in ALWAYS or key_of(known, environ)]
    return {name: complete(name, None, environ) for name in names}


def ollama_answers(port: int = OLLAMA_PORT, timeout_s: float = 0.1) -> bool:
    """Whether something listens on Ollama's usual port of this machine. Asked when a server starts, never at import."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=timeout_s):
            return True
    except OSError:
        return False
