"""Problems in words: logic grids, assignments, knapsacks and schedules become problems of the solver, or are not read.

A sentence is read where a pattern of a grammar fits all of it. Where several readings fit, or where only its names are
known, a model chooses among candidates. A sentence that stays open leaves the whole text unread: unknown is not yes.
"""

from pointsman.query.solver.text.reading import Reading, read_problem
from pointsman.query.solver.text.recognising import TextKind, recognise

__all__ = ["Reading", "TextKind", "read_problem", "recognise"]
