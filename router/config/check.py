"""What `check` looks at: files load, routers hold their word, golden cases still fall where they fell, and lint."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from policies import Facts, RoutingRefusal, RoutingTable, Targets
from router.upstreams.egress import refusal

from .between import shared
from .document import parse, place, plain
from .files import CASES_ENDING, read, router_files, shipped_paths
from .findings import ConfigError, Finding, did_you_mean
from .inworld import is_inworld
from .load import Config, RouterSource, load, load_router
from .models import Defaults
from .policy import limits_of, policy_of
from .router_file import Case, RouterFile
from .table import build_table

SEED = "golden"
CLOSED = ("demo", "local")  # kinds of providers whose models are all known
Check = Callable[[Config], Iterable[Finding]]
_EXPECTED = {"router": "router", "route": "route_id", "variant": "variant_id", "model": "model", "reason": "reason"}


@dataclass(slots=True)
class Report:
    """What was looked at and what was found. `texts` are the sources by file name."""

    findings: list[Finding] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    cases: int = 0

    @property
    def errors(self) -> list[Finding]:
        """What must be repaired."""
        return [finding for finding in self.findings if finding.severity == "error"]

    def add(self, error: ConfigError) -> None:
        """Take over an error's findings."""
        self.findings += error.findings
        self.texts |= error.texts


def check_files(paths: Iterable[Path], environ: Mapping[str, str], also: Iterable[Check] = ()) -> Report:
    """Every file, whichever kind it is; `also` looks at whole configurations. Never raises for what is in the files."""
    report = Report()
    alone: list[RouterSource] = []
    for path in (inner for named in paths for inner in (router_files(named) if named.is_dir() else (named,))):
        report.files.append(str(path))
        try:
            if path.name.endswith(CASES_ENDING):
                continue
            if _is_router(path):
                alone.append(load_router(path, environ))
                check_router(alone[-1], report)
            else:
                check_config(load(path, environ), report, also)
        except ConfigError as error:
            report.add(error)
    report.findings += shared(alone)
    return report


def check_config(config: Config, report: Report, also: Iterable[Check] = ()) -> None:
    """A whole configuration: its table, each router's cases, lint, and what `also` finds. Raises ConfigError."""
    table = build_table(config)
    for source in config.routers:
        if source.file not in report.files:
            report.files.append(source.file)
        report.texts[source.file] = source.text
        run_cases(source, table, report)
    file = str(config.path or "defaults")
    shipped = {str(path) for path in shipped_paths()}
    for warning in table.warnings():
        about = _about(config, warning)
        if about is not None and about.file in shipped:
            continue  # examples: nobody needs to have every provider they name
        text = warning.partition(": ")[2] if about is not None else warning
        line, column = _place_of(text, about.text) if about else (1, 1)
        report.findings.append(Finding(about.file if about else file, text, line, column, severity="warning"))
    for source in config.routers:
        for text in _unknown_models(config, table, source):
            report.findings.append(Finding(source.file, text, *_place_of(text, source.text), severity="warning"))
    if config.path is not None:
        report.texts[file] = written = read(config.path)
        for text in (*_leading_nowhere(config, table), *_refused_addresses(config)):
            report.findings.append(Finding(file, text, *_place_of(text, written), severity="warning"))
    for check in also:
        report.findings += check(config)


def check_router(source: RouterSource, report: Report) -> None:
    """One router file alone: every provider it names counts as configured. Raises ConfigError."""
    report.texts[source.file] = source.text
    policy = policy_of(source, Defaults())
    providers = {model.partition("/")[0] for model in policy.models() if "/" in model}
    table = RoutingTable(Targets(sorted(providers | {"demo"})), (policy,), limits=limits_of(Defaults()))
    report.findings += [Finding(source.file, text, severity="warning") for text in policy.warnings()]
    run_cases(source, table, report)


def run_cases(source: RouterSource, table: RoutingTable, report: Report) -> None:
    """The golden cases beside a router file, if there are any; a case that moved is an error with both sides."""
    path = source.cases_path
    if not path.is_file():
        return
    file = str(path)
    text = read(path)
    report.texts[file] = text
    root = parse(text, file)
    rows = plain(root, file)
    if not isinstance(rows, list):
        report.findings.append(Finding(file, "must be a list of cases"))
        return
    for index, row in enumerate(rows):
        line, column = place(root, (index,))
        report.cases += 1
        message, remedy = _case(source.router, table, row)
        if message is not None:
            report.findings.append(Finding(file, message, line, column, f"[{index}]", remedy))


def _case(router: RouterFile, table: RoutingTable, row: Any) -> tuple[str | None, str | None]:
    try:
        case = Case.model_validate_json(json.dumps(row), strict=True)
        facts = facts_of(f"router/{router.router}", case.given)
    except (ValidationError, ValueError) as error:
        text = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        return (
            f"not a case: {text}",
            'a case is {"given": {"user": …, "metadata": …}, "expect": {"route": …, "variant": …}}',
        )
    unknown = [key for key in case.expect if key not in _EXPECTED]
    if unknown:
        return f"cannot expect {unknown[0]!r}", did_you_mean(unknown[0], _EXPECTED) or f"known: {', '.join(_EXPECTED)}"
    try:
        decision = table.decide(facts)
    except RoutingRefusal as refusal:
        return f"expected {_words(case.expect)}, is refused: {refusal}", None
    got = {key: getattr(decision, _EXPECTED[key]) for key in case.expect}
    if got == dict(case.expect):
        return None, None
    return (
        f"moved: expected {_words(case.expect)}, got {_words(got)}",
        "a change of weights moves units: use a new salt",
    )


def facts_of(model: str, given: Mapping[str, Any]) -> Facts:
    """`given` of a case (or a command line) as facts. Raises ValueError naming an unknown word."""
    allowed = {"user", "metadata", "messages", "voice", "protocol", "prompt_variables"}
    for key in given:
        if key not in allowed:
            raise ValueError(f"given has an unknown word {key!r}; known: {', '.join(sorted(allowed))}")
    protocol = given.get("protocol", "chat")
    if protocol not in ("chat", "realtime"):
        raise ValueError(f"protocol must be 'chat' or 'realtime', is {protocol!r}")
    facts = Facts(model=model, protocol=protocol, seed=SEED)
    values = {key: value for key, value in given.items() if key != "protocol"}
    return replace(facts, **values)


def _words(expected: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {str(value)!r}" for key, value in expected.items())


def _is_router(path: Path) -> bool:
    root = parse(read(path), str(path))
    return is_inworld(root) or (isinstance(root.value, dict) and "router" in root.value)


def _unknown_models(config: Config, table: RoutingTable, source: RouterSource) -> Iterable[str]:
    """Models of built-in providers that these do not have; of others nobody here knows the whole list."""
    targets = table.targets
    for model in dict.fromkeys(table.policies[source.router.router].models()):
        target = targets.named(model)
        if target is not None and config.providers[target.provider].kind in CLOSED and not targets.knows(target.name):
            known = [one.name for one in targets if one.provider == target.provider]
            near = did_you_mean(target.name, known) or f"known: {', '.join(known)}"
            yield f"{model!r} is no model of provider {target.provider!r}; {near}"


def _leading_nowhere(config: Config, table: RoutingTable) -> Iterable[str]:
    """The server file's own model strings that nobody answers to."""
    named = {f"alias {name!r}": config.aliases[name] for name in sorted(config.own_aliases)}
    if "model" in config.realtime.model_fields_set:
        named["realtime.model"] = config.realtime.model
    targets = table.targets
    for what, model in named.items():
        if model in ("auto", *config.aliases) or table.policy_of(model) is not None:
            continue
        if targets.named(model) is None and not targets.offering(model):
            yield f"{what} leads to {model!r}, which is no router of this configuration and served by no provider"


def _refused_addresses(config: Config) -> Iterable[str]:
    """Providers at an address that no call will be let to: it is private, and nothing says that it may be."""
    for name, provider in config.providers.items():
        host = urlsplit(provider.base_url or "").hostname or ""
        address = "127.0.0.1" if host == "localhost" else host
        with suppress(ValueError):  # other names are looked up when they are called
            ip_address(address)
            if refusal(address) and not provider.allow_private:
                opened = not refusal(address, allow_private=True)
                remedy = "set `allow_private: true` if you mean it" if opened else "nothing opens it"
                yield f"{provider.base_url!r} of provider {name!r} is not public, every call is refused; {remedy}"


def _about(config: Config, warning: str) -> RouterSource | None:
    return next((one for one in config.routers if warning.startswith(f"router {one.router.router!r}: ")), None)


def _place_of(warning: str, text: str) -> tuple[int, int]:
    """Where the first thing that a warning quotes stands as a whole word; the file's beginning if nowhere."""
    quoted = re.search(r"'([^']+)'", warning)
    for number, line in enumerate(text.splitlines() if quoted else (), 1):
        found = re.search(rf"(?<![\w./-]){re.escape(quoted[1])}(?![\w./-])", line.partition("#")[0]) if quoted else None
        if found:
            return number, found.start() + 1
    return 1, 1
