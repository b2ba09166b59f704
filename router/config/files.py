"""The files of a configuration: read whole as text, and found where the server file says."""

from importlib.util import find_spec
from pathlib import Path

from .document import MAX_FILE_BYTES, Node
from .findings import ConfigError, Finding
from .models import ServerFile

ROUTER_ENDINGS = (".yaml", ".yml", ".json")
CASES_ENDING = ".cases.json"


def read(path: Path) -> str:
    """The text of a file. Raises ConfigError: not there, too large, not UTF-8."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        remedy = "`realtime-router init` writes files to begin with" if isinstance(error, FileNotFoundError) else None
        raise ConfigError([Finding(str(path), f"cannot be read: {error.strerror or error}", remedy=remedy)]) from None
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError([Finding(str(path), f"the file is larger than {MAX_FILE_BYTES // 1024} KiB")])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise ConfigError([Finding(str(path), "not UTF-8", line)]) from None


def shipped_paths() -> list[Path]:
    """The router files that come with the package."""
    spec = find_spec("policies")
    if spec is None or not spec.submodule_search_locations:
        return []
    folder = Path(next(iter(spec.submodule_search_locations))) / "experiments"
    return router_files(folder) if folder.is_dir() else []


def router_paths(file: ServerFile, path: Path | None, root: Node | None = None) -> list[Path]:
    """The router files the server file names, in order; a folder gives its files by name. Raises ConfigError."""
    if file.routers is None:
        return shipped_paths()
    base = path.parent if path else Path()
    findings, paths = [], list[Path]()
    for index, name in enumerate(file.routers):
        entry = base / name
        if entry.is_dir():
            paths += router_files(entry)
        elif entry.is_file():
            paths.append(entry)
        else:
            node = root.value["routers"].value[index] if root is not None else None
            line, column = (node.line, node.column) if node is not None else (1, 1)
            findings.append(Finding(str(path), f"no file or folder {str(entry)!r}", line, column, f"routers[{index}]"))
    if findings:
        raise ConfigError(findings)
    return list(dict.fromkeys(paths))


def router_files(folder: Path) -> list[Path]:
    """The router files of a folder by name, without their cases and what is hidden."""
    return sorted(
        entry
        for entry in folder.iterdir()
        if entry.suffix in ROUTER_ENDINGS and not entry.name.endswith(CASES_ENDING) and not entry.name.startswith(".")
    )
