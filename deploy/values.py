"""Value classes as the compiler likes them: the `__init__` that a dataclass would write at run time, written out.

A dataclass's own `__init__` is made by `exec` and stays interpreted; a `frozen` class is no native class at all. With
`__init__` in the source both become C structs that are made and read without a lookup. What the standard library adds
beside it (equality, hash, repr, fields, `replace`) stays. Assignment afterwards is no longer refused at run time: the
type checker has refused it already.
"""

import ast

DECORATOR = "_value_class"
IMPORT = f"from dataclasses import dataclass as {DECORATOR}"


def written_out(source: str) -> str:
    """The module with an `__init__` in each class whose own it would be."""
    lines = source.splitlines()
    module = ast.parse(source)
    classes = [node for node in module.body if isinstance(node, ast.ClassDef) and _suits(node)]
    if not classes:
        return source
    for node in reversed(classes):
        decorator = node.decorator_list[0]
        lines[node.end_lineno or 0 : node.end_lineno] = ["", *_constructor(node)]
        frozen = isinstance(decorator, ast.Name) or bool(_asked(decorator).get("frozen"))
        lines[decorator.lineno - 1] = f"@{DECORATOR}(init=False{', unsafe_hash=True' if frozen else ''})"
    first = next(node for node in module.body if isinstance(node, ast.Import | ast.ImportFrom))
    lines.insert(first.lineno - 1, IMPORT)
    return "\n".join(lines) + "\n"


def _suits(node: ast.ClassDef) -> bool:
    """A value class without a base and without steps of its own while it is made."""
    if node.bases or len(node.decorator_list) != 1 or not _fields(node):
        return False
    methods = {one.name for one in node.body if isinstance(one, ast.FunctionDef)}
    if methods & {"__init__", "__post_init__", "__new__"}:
        return False
    decorator = node.decorator_list[0]
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(called, ast.Name) and called.id in ("frozen", "dataclass")


def _asked(decorator: ast.expr) -> dict[str, object]:
    keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
    return {str(one.arg): ast.literal_eval(one.value) for one in keywords}


def _fields(node: ast.ClassDef) -> list[ast.AnnAssign]:
    return [
        one for one in node.body if isinstance(one, ast.AnnAssign) and "ClassVar" not in ast.unparse(one.annotation)
    ]


def _constructor(node: ast.ClassDef) -> list[str]:
    parameters = ["self", *(["*"] if _asked(node.decorator_list[0]).get("kw_only") else [])]
    body = []
    for one in _fields(node):
        name, kind = ast.unparse(one.target), ast.unparse(one.annotation)
        default, factory = _default(one.value)
        if factory is not None:
            parameters.append(f"{name}: ({kind}) | None = None")
            body.append(f"        self.{name} = ({factory})() if {name} is None else {name}")
        else:
            parameters.append(f"{name}: {kind}" + (f" = {default}" if default is not None else ""))
            body.append(f"        self.{name} = {name}")
    names = ", ".join(f"self.{ast.unparse(one.target)}" for one in _fields(node))
    reduced = [] if "*" in parameters else ["", "    def __reduce__(self):  # type: ignore[no-untyped-def]"]
    if reduced:
        reduced.append(f"        return type(self), ({names},)")
    return [f"    def __init__({', '.join(parameters)}) -> None:", *body, *reduced]


def _default(value: ast.expr | None) -> tuple[str | None, str | None]:
    """The default of a field and what makes one, as source."""
    if not (isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "field"):
        return (None if value is None else ast.unparse(value)), None
    said = {one.arg: ast.unparse(one.value) for one in value.keywords}
    return said.get("default"), said.get("default_factory")
