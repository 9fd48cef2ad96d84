"""Record declarations as classes, when a program is linked without its source module."""

from __future__ import annotations

import collections
import dataclasses
import enum
from typing import Any

from pointsman.program.ir import Const, Record, Ref

__all__ = ["make_record"]


def make_record(record: Record) -> type:
    """A class with the declared name, fields, defaults and options.

    Annotations are left out: ``dataclasses`` gives some of their texts a meaning of their own.
    """
    if record.kind == "enum":
        members = [(name, _value(value)) for name, _, value in record.fields]
        base = {"int": enum.IntEnum, "str": enum.StrEnum}.get(record.base, enum.Enum)
        return base(record.name, members, module=__name__)  # the functional API
    if record.kind == "namedtuple":
        names = [name for name, _, _ in record.fields]
        defaults = [_value(value) for _, _, value in record.fields if value is not None]
        return collections.namedtuple(record.name, names, defaults=defaults, module=__name__)
    if record.kind == "typeddict":
        return dict
    fields: list[Any] = [
        (name, object) if value is None else (name, object, dataclasses.field(default=_value(value)))
        for name, _, value in record.fields
    ]
    made = dataclasses.make_dataclass(record.name, fields, frozen=record.frozen, order=record.order)
    made.__module__ = __name__
    return made


def _value(operand: Any) -> Any:
    if isinstance(operand, Const):
        return operand.value
    raise TypeError(
        f"a record's default must be a constant, not {operand!r}" if not isinstance(operand, Ref) else operand.path
    )
