"""Float tensors out of an ONNX file, by walking its protobuf: no ONNX package and no runtime is needed to read weights.

Knows only what is wanted here: `Constant` nodes, inside the branches of `If` nodes too, and graph initialisers. Field
numbers are onnx.proto's: ModelProto.graph 7; GraphProto.node 1, .initializer 5; NodeProto.output 2, .attribute 5;
AttributeProto.name 1, .t 5, .g 6; TensorProto.dims 1, .data_type 2, .float_data 4, .name 8, .raw_data 9.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Tensor = npt.NDArray[np.float32]

FLOAT = 1  # TensorProto.DataType


class MalformedModel(ValueError):  # noqa: N818  it says what is wrong with the file
    """The bytes are not a model that can be walked."""


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(view) or shift > 63:
            raise MalformedModel("truncated or overlong number in the model file")
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _fields(view: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    at = 0
    while at < len(view):
        key, at = _varint(view, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(view, at)
            yield key >> 3, value
            continue
        if kind == 2:
            size, at = _varint(view, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise MalformedModel(f"unknown wire type {kind} in the model file")
        if at + size > len(view):
            raise MalformedModel("the model file ends in the middle of a field")
        yield key >> 3, view[at : at + size]
        at += size


def _parts(view: memoryview, number: int) -> Iterator[memoryview]:
    return (value for field, value in _fields(view) if field == number and isinstance(value, memoryview))


def _tensor(view: memoryview) -> tuple[str, Tensor | None]:
    dims: list[int] = []
    kind, name, body = 0, "", b""
    for field, value in _fields(view):
        if field == 1:
            dims.extend([value] if isinstance(value, int) else _packed(value))
        elif field == 2 and isinstance(value, int):
            kind = value
        elif field == 8 and isinstance(value, memoryview):
            name = bytes(value).decode()
        elif field in (4, 9) and isinstance(value, memoryview):
            body += bytes(value)
    if kind != FLOAT:
        return name, None
    return name, np.frombuffer(body, dtype="<f4").reshape(dims)


def _packed(view: memoryview) -> list[int]:
    numbers, at = [], 0
    while at < len(view):
        number, at = _varint(view, at)
        numbers.append(number)
    return numbers


def _graph(view: memoryview, path: str) -> Iterator[tuple[str, Tensor]]:
    for initializer in _parts(view, 5):
        name, tensor = _tensor(initializer)
        if tensor is not None:
            yield f"{path}{name}", tensor
    for node in _parts(view, 1):
        output = next((bytes(part).decode() for part in _parts(node, 2)), "")
        for attribute in _parts(node, 5):
            label = next((bytes(part).decode() for part in _parts(attribute, 1)), "")
            for held in _parts(attribute, 5):
                _, tensor = _tensor(held)
                if tensor is not None:
                    yield f"{path}{output}", tensor
            for branch in _parts(attribute, 6):
                yield from _graph(branch, f"{path}{label}/")


def float_tensors(model: bytes) -> dict[str, Tensor]:
    """Every float tensor of the model by its name; those inside an `If` are prefixed `then_branch/`, `else_branch/`.

    Raises MalformedModel.
    """
    tensors: dict[str, Tensor] = {}
    for graph in _parts(memoryview(model), 7):
        tensors.update(_graph(graph, ""))
    return tensors
