"""Files of a policy's folder: written whole or not at all, and read with every doubt told as `bad_policy`.

This is the one module of the query level that translates errors of msgspec and safetensors about these files.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from pointsman.core import BadRequest

__all__ = ["Arrays", "bad_policy", "encode_arrays", "read_arrays", "read_file", "read_record", "write_whole"]

_T = TypeVar("_T")


def bad_policy(file: Path | str, field: str, problem: str) -> BadRequest:
    """The error for a stored file that cannot be used: where, and what."""
    return BadRequest(f"{file}: {field}: {problem}", code="bad_policy", param=field)


def write_whole(path: Path, data: bytes) -> None:
    """Replaces a file at once: whoever reads it sees the old bytes or the new ones. Raises OSError."""
    beside = path.with_name(f".{path.name}.{token_hex(8)}")
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise


def read_file(path: Path) -> bytes:
    """The bytes of a file that has to be there. Raises BadRequest `bad_policy`."""
    try:
        return path.read_bytes()
    except OSError as exc:
        raise bad_policy(path, "file", f"cannot be read: {exc.strerror or exc}") from exc


def read_record(data: bytes, kind: type[_T], file: Path, format_version: int) -> _T:
    """A record of JSON whose first field is `format`. Raises BadRequest `bad_policy`, with the path of the fault."""
    try:
        found = msgspec.json.decode(data, type=_Format).format
        if found != format_version:
            raise bad_policy(file, "format", f"is {found}; this version reads {format_version}")
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        told = str(exc)
        field = told.partition("`$.")[2].rstrip("`") or "json"
        raise bad_policy(file, field, told) from exc


class _Format(msgspec.Struct, frozen=True):
    format: int


def encode_arrays(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """As safetensors; the same arrays give the same bytes."""
    return save({name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)})


@dataclass(frozen=True, slots=True)
class Arrays:
    """The arrays of one file; `take` checks each."""

    file: Path
    found: Mapping[str, NDArray[Any]]

    def take(self, name: str, dtype: str, *shape: int | None) -> NDArray[Any]:
        """One array, finite. `shape`: None where a length is free. Raises BadRequest `bad_policy`."""
        if name not in self.found:
            raise bad_policy(self.file, name, "is missing")
        array = self.found[name]
        fits = len(array.shape) == len(shape) and all(
            want in (None, have) for have, want in zip(array.shape, shape, strict=True)
        )
        if array.dtype != np.dtype(dtype) or not fits:
            wanted = ", ".join("any" if want is None else str(want) for want in shape)
            raise bad_policy(self.file, name, f"is {array.dtype} {array.shape}; expected {dtype} ({wanted})")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise bad_policy(self.file, name, "has values that are not finite")
        return array


def read_arrays(path: Path, digest: str) -> Arrays:
    """The arrays of a file with that sha256, as writable copies. Raises BadRequest `bad_policy`."""
    data = read_file(path)
    if sha256(data).hexdigest() != digest:
        raise bad_policy(path, "sha256", "is not what policy.json names: damaged, or of another policy")
    try:
        return Arrays(path, {name: np.array(array) for name, array in load(data).items()})
    except (SafetensorError, KeyError, ValueError) as exc:
        raise bad_policy(path, "file", f"is not safetensors: {exc}") from exc
