"""Tensors of the Open Inference Protocol as columns of numbers and words, and back.

JSON, or JSON followed by the raw bytes of tensors (the binary data extension): numbers are
little-endian, a word is its length (4 bytes) and its UTF-8.
"""

from __future__ import annotations

import math
import struct
from typing import Annotated, Any, Final

import msgspec
import numpy as np
from msgspec import Meta, Struct

from headway.errors import ConfigError

Column = list[str] | list[float]
_LENGTH: Final = struct.Struct("<I")
Name = Annotated[str, Meta(max_length=256)]
Cell = str | float | None


class InputTensor(Struct):
    """One input: rows (n,) or (n, 1) of FP64 (NaN = not known) or BYTES ('' = not known)."""

    name: Name
    shape: Annotated[list[Annotated[int, Meta(ge=0)]], Meta(min_length=1, max_length=2)]
    datatype: Name
    parameters: dict[Name, Any] = {}
    data: list[Cell | list[Cell]] | None = None


class OutputTensor(Struct):
    """One output that is asked for."""

    name: Name
    parameters: dict[Name, Any] = {}


class InferBody(Struct):
    """POST /v2/models/NAME/infer"""

    inputs: Annotated[list[InputTensor], Meta(min_length=1, max_length=100)]
    id: Name = ""
    outputs: Annotated[list[OutputTensor], Meta(max_length=100)] = []
    parameters: dict[Name, Any] = {}


_DECODE: Final = msgspec.json.Decoder(InferBody).decode


def read_infer(body: bytes, header_bytes: int | None) -> tuple[InferBody, dict[str, Column]]:
    """A request and its inputs by name, all of one length; ConfigError where it is not one.

    header_bytes: length of the JSON where raw tensors follow it.
    """
    try:
        asked = _DECODE(body if header_bytes is None else body[:header_bytes])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"the body is no inference request: {error}") from error
    raw = b"" if header_bytes is None else body[header_bytes:]
    columns: dict[str, Column] = {}
    for tensor in asked.inputs:
        size = tensor.parameters.get("binary_data_size")
        if size is None:
            columns[tensor.name] = _from_json(tensor)
        else:
            if not isinstance(size, int) or not 0 <= size <= len(raw):
                raise ConfigError(f"input {tensor.name!r} has not {size!r} bytes in the body")
            columns[tensor.name], raw = _from_raw(tensor, raw[:size]), raw[size:]
    if raw:
        raise ConfigError(f"{len(raw)} bytes of the body belong to no input")
    lengths = {len(column) for column in columns.values()}
    if len(lengths) != 1 or len(columns) != len(asked.inputs):
        raise ConfigError("inputs must have names of their own and as many rows as each other")
    return asked, columns


def _from_json(tensor: InputTensor) -> Column:
    cells: list[Any] = []
    for cell in tensor.data or []:
        cells.extend(cell if isinstance(cell, list) else [cell])
    if tensor.datatype == "BYTES":
        column: Column = ["" if cell is None else cell for cell in cells]
        is_fit = all(isinstance(cell, str) for cell in column)
    else:
        column = [math.nan if cell is None else cell for cell in cells]
        is_fit = not any(isinstance(cell, str) for cell in column)
    if not is_fit:
        raise ConfigError(f"input {tensor.name!r} holds what is no {tensor.datatype}")
    return _checked(tensor, column)


def _from_raw(tensor: InputTensor, raw: bytes) -> Column:
    if tensor.datatype != "BYTES":
        if len(raw) % 8:
            raise ConfigError(f"input {tensor.name!r} has bytes that are no FP64")
        numbers: list[float] = np.frombuffer(raw, "<f8").tolist()
        return _checked(tensor, numbers)
    words, at = [], 0
    while at < len(raw):
        if len(raw) - at < _LENGTH.size:
            raise ConfigError(f"input {tensor.name!r} ends within a length")
        (length,) = _LENGTH.unpack_from(raw, at)
        at += _LENGTH.size
        if length > len(raw) - at:
            raise ConfigError(f"input {tensor.name!r} ends within a word")
        try:
            words.append(raw[at : at + length].decode())
        except UnicodeDecodeError as error:
            raise ConfigError(f"input {tensor.name!r} holds what is no UTF-8") from error
        at += length
    return _checked(tensor, words)


def _checked(tensor: InputTensor, column: Column) -> Column:
    shape = tensor.shape
    if tensor.datatype not in ("FP64", "BYTES"):
        raise ConfigError(f"input {tensor.name!r} must be FP64 or BYTES, got {tensor.datatype!r}")
    if shape != [len(column)] and shape != [len(column), 1]:
        raise ConfigError(f"input {tensor.name!r} of shape {shape} has {len(column)} elements")
    return column


def write_infer(
    asked: InferBody, said: dict[str, Any], outputs: dict[str, Any]
) -> tuple[bytes, int | None]:
    """The answer, and the length of its JSON where raw tensors follow it.

    said: what stands beside the outputs; outputs: arrays (n, ..) of float64 or of str, by name.
    ConfigError where one is asked for that is not there.
    """
    is_raw = bool(asked.parameters.get("binary_data_output", False))
    wanted = asked.outputs or [OutputTensor(name) for name in outputs]
    tensors, raw = [], []
    for one in wanted:
        if one.name not in outputs:
            raise ConfigError(f"there is no output {one.name!r}; there are {', '.join(outputs)}")
        values = outputs[one.name]
        kind = "FP64" if values.dtype.kind == "f" else "BYTES"
        tensor: dict[str, Any] = {"name": one.name, "datatype": kind, "shape": list(values.shape)}
        if one.parameters.get("binary_data", is_raw):
            raw.append(_raw(values, kind))
            tensor["parameters"] = {"binary_data_size": len(raw[-1])}
        else:
            tensor["data"] = values.ravel().tolist()  # NaN becomes null
        tensors.append(tensor)
    header = msgspec.json.encode(said | {"outputs": tensors})
    return header + b"".join(raw), len(header) if raw else None


def _raw(values: Any, kind: str) -> bytes:
    if kind == "FP64":
        return bytes(values.astype("<f8").tobytes())
    words = [str(word).encode() for word in values.ravel()]
    return b"".join(_LENGTH.pack(len(word)) + word for word in words)
