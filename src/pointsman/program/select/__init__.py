"""Drivers in which a model selects rows of a compiled table: the parts that it is shown, and who checks it."""

from pointsman.program.select.driver import SelectDriver
from pointsman.program.select.part import Part, part_of

__all__ = ["Part", "SelectDriver", "part_of"]
