"""Everything read whole, checked whole, and only then handed out as one frozen value."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import SecretStr

from .between import check_server, shared
from .document import Node, parse, place
from .files import CASES_ENDING, read, router_paths
from .findings import ConfigError, Finding
from .inworld import from_inworld_node, is_inworld
from .models import (
    MIN_SECRET,
    Auth,
    Defaults,
    Key,
    Price,
    Provider,
    Records,
    Scores,
    Server,
    ServerFile,
    State,
)
from .providers import ALWAYS, complete, from_environment
from .realtime import Realtime
from .router_file import RouterFile
from .validation import M, validate
from .variables import MissingVariableError, expand, lookup
from .voices import shipped_aliases, shipped_voices


@dataclass(frozen=True, slots=True)
class RouterSource:
    """A router and where it came from; `root` gives the places of its values."""

    file: str
    router: RouterFile
    text: str
    root: Node

    @property
    def cases_path(self) -> Path:
        """Where this router's golden cases live, whether or not there are any."""
        path = Path(self.file)
        return path.with_name(path.stem + CASES_ENDING)


@dataclass(frozen=True, slots=True)
class Config:
    """One whole configuration. `sources` are the files (and folders) it was read from; `checksum` names the version."""

    server: Server = field(default_factory=Server)
    auth: Auth = field(default_factory=Auth)
    providers: Mapping[str, Provider] = field(default_factory=dict)
    defaults: Defaults = field(default_factory=Defaults)
    realtime: Realtime = field(default_factory=Realtime)
    aliases: Mapping[str, str] = field(default_factory=dict)  # the file's own, then the shipped ones
    voices: Mapping[str, str] = field(default_factory=dict)
    prices: Mapping[str, Price] = field(default_factory=dict)
    scores: Mapping[str, Scores] = field(default_factory=dict)
    state: State = field(default_factory=State)
    records: Records = field(default_factory=Records)
    routers: tuple[RouterSource, ...] = ()
    path: Path | None = None
    sources: tuple[Path, ...] = ()
    checksum: str = ""
    own_aliases: frozenset[str] = frozenset()  # names in `aliases` that the file says itself

    def with_provider(self, name: str) -> "Config":
        """The same configuration with the known provider `name` added, unless it is there."""
        if name in self.providers:
            return self
        return replace(self, providers={**self.providers, name: complete(name, None, {})})


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """The configuration of server file `path`, or the embedded defaults when it is None. Raises ConfigError."""
    if path is None:
        return _assemble(ServerFile(), None, environ, {})
    texts: dict[str, str] = {}
    file, found = load_server(path, environ, texts)
    try:
        return _assemble(file, path, environ, texts, found)
    except ConfigError as error:
        raise ConfigError(error.findings, {**texts, **error.texts}) from None


def load_server(path: Path, environ: Mapping[str, str], texts: dict[str, str]) -> tuple[ServerFile, Node]:
    """The server file alone and its tree. Raises ConfigError."""
    file = str(path)
    texts[file] = text = read(path)
    root = parse(text, file)
    try:
        return filled_and_valid(ServerFile, root, file, environ), root
    except ConfigError as error:
        raise ConfigError(error.findings, dict(texts)) from None


def load_router(path: Path, environ: Mapping[str, str]) -> RouterSource:
    """One router file in either spelling. Raises ConfigError."""
    file = str(path)
    text = read(path)
    root = parse(text, file)
    try:
        if is_inworld(root):
            root = from_inworld_node(root, default_name=path.stem)
        return RouterSource(file, filled_and_valid(RouterFile, root, file, environ), text, root)
    except ConfigError as error:
        raise ConfigError(error.findings, {file: text}) from None


def filled_and_valid(model: type[M], root: Node, file: str, environ: Mapping[str, str]) -> M:
    """`root` with its variables filled, as a `model`. Raises ConfigError with what both steps complain of."""
    filled: set[int] = set()
    missing: tuple[Finding, ...] = ()
    try:
        filled = expand(root, environ, file)
    except ConfigError as error:
        missing = error.findings
    places = {(finding.line, finding.column) for finding in missing}
    try:
        valid = validate(model, root, file, filled)
    except ConfigError as error:
        others = [finding for finding in error.findings if (finding.line, finding.column) not in places]
        raise ConfigError(sorted([*missing, *others], key=lambda one: (one.line, one.column))) from None
    if missing:
        raise ConfigError(missing)
    return valid


def _routers(paths: list[Path], environ: Mapping[str, str]) -> tuple[RouterSource, ...]:
    """Every router; one ConfigError holds the findings of all files."""
    found: dict[str, RouterSource] = {}
    findings: list[Finding] = []
    texts: dict[str, str] = {}
    for path in paths:
        try:
            source = load_router(path, environ)
        except ConfigError as error:
            findings += error.findings
            texts |= error.texts
            continue
        texts[source.file] = source.text
        if source.router.router in found:
            message = f"router {source.router.router!r} is already defined in {found[source.router.router].file}"
            findings.append(Finding(source.file, message, *place(source.root, ("router",)), "router"))
        found.setdefault(source.router.router, source)
    findings += shared(found.values())
    if findings:
        raise ConfigError(findings, texts)
    return tuple(found.values())


def _with_master_key(auth: Auth, environ: Mapping[str, str]) -> Auth:
    """`RR_MASTER_KEY` (or its file) is a key that may do everything, unless the file has a key called master."""
    try:
        secret = lookup("RR_MASTER_KEY", environ)
    except MissingVariableError as error:
        raise ConfigError([Finding("environment", str(error), path="RR_MASTER_KEY")]) from None
    if not secret or any(key.id == "master" for key in auth.keys):
        return auth
    if len(secret) < MIN_SECRET:
        raise ConfigError([Finding("environment", f"must be at least {MIN_SECRET} characters", path="RR_MASTER_KEY")])
    return auth.model_copy(update={"keys": (*auth.keys, Key(id="master", secret=SecretStr(secret), write=True))})


def _assemble(
    file: ServerFile,
    path: Path | None,
    environ: Mapping[str, str],
    texts: dict[str, str],
    root: Node | None = None,
) -> Config:
    paths = router_paths(file, path, root)
    routers = _routers(paths, environ)
    if file.providers is None:
        providers = from_environment(environ)
    else:
        providers = {name: complete(name, given, environ) for name, given in file.providers.items()}
        for name in ALWAYS:
            providers.setdefault(name, complete(name, None, environ))
    check_server(file, providers, str(path or "environment"), root)
    digest = hashlib.sha256()
    for text in [*texts.values(), *(source.text for source in routers)]:
        digest.update(text.encode())
        digest.update(b"\0")
    folders = {path.parent / name for name in file.routers or () if path is not None}
    return Config(
        server=file.server,
        auth=_with_master_key(file.auth, environ),
        providers=providers,
        defaults=file.defaults,
        realtime=file.realtime,
        aliases={**shipped_aliases(file.realtime), **file.aliases},
        voices={**shipped_voices(), **file.realtime.voices},
        prices=file.prices,
        scores=file.scores,
        state=file.state,
        records=file.records,
        routers=routers,
        path=path,
        sources=(*([path] if path else []), *paths, *sorted(folders)),
        checksum=digest.hexdigest()[:16],
        own_aliases=frozenset(file.aliases),
    )
