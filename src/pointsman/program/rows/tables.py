"""The rows of a whole program as plain text for a terminal."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Sequence

from pointsman.core import NotFound, OverBudget
from pointsman.program.rows.facts import Span
from pointsman.program.rows.paths import rows_of, state_name
from pointsman.program.rows.questions import held_questions, named_questions, question_lines
from pointsman.program.rows.row_text import Cells, describe, span_text
from pointsman.program.rows.terms_text import name_of
from pointsman.program.table.machine import Machine, Program, Range

__all__ = ["show_table", "signature"]


def signature(machine: Machine) -> str:
    """``refund(days: int, opened: bool)``, with the kinds that the table relies on."""
    kinds = dict(machine.guards)
    parts = [p.name + (f": {kinds[p.name].removeprefix('record:')}" if p.name in kinds else "") for p in machine.params]
    return f"{machine.qualname}({', '.join(parts)})"


def _known(name: str, known: Range) -> str:
    text = name_of(name) + (f": {known.kind.removeprefix('record:')}" if known.kind != "any" else "")
    if known.kind != "int" or (known.low is None and known.high is None):
        return text
    return f"{text} ({span_text(name_of(name), Span(known.low, known.high))})"


def show_table(program: Program, function: str | None = None, *, width: int | None = None) -> str:
    """Every function (or one) as plain text: its states, what is known of their variables, and their numbered rows."""
    if function is not None and function not in program.machines:
        choices = ", ".join(sorted(program.machines))
        raise NotFound(f"no function {function!r}; there are {choices}", code="unknown_function")
    chosen = [function] if function is not None else sorted(program.machines, key=lambda name: name != program.entry)
    columns = width or shutil.get_terminal_size((120, 24)).columns
    return "\n".join(line for name in chosen for line in _machine_lines(program.machines[name], max(columns, 60)))


def _machine_lines(machine: Machine, width: int) -> Iterator[str]:
    yield signature(machine)
    questions = named_questions(machine)
    if questions:
        yield ""
        yield "  asked only where a row needs it"
        for line in question_lines(questions):
            yield from textwrap.wrap(line, width, initial_indent="    ", subsequent_indent="        ")
    named = held_questions(questions)
    for state in machine.states:
        variables = ", ".join(_known(name, known) for name, known in state.variables)
        yield ""
        heading = f"{state_name(state)}   {variables}"
        yield from textwrap.wrap(heading, width, initial_indent="  ", subsequent_indent="      ")
        if state.handler is not None:
            yield f"      exceptions go to {state_name(machine.states[state.handler])} as {name_of(state.caught or '')}"
        try:
            rows = rows_of(state, merge=True)
        except OverBudget as error:
            yield f"      {error.message}"
            continue
        yield from _grid([describe(row, machine.states, named) for row in rows], width)
    if machine.generic is not None:
        yield ""
        yield f"  arguments of other kinds: a second table with {len(machine.generic.states)} state(s)"
    yield ""


def _grid(cells: Sequence[Cells], width: int) -> Iterator[str]:
    """Aligned columns; long texts are wrapped inside their column, and a column that says nothing is left out."""
    table = [("", "when", "do", "then")]
    for number, c in enumerate(cells, 1):
        table.append((str(number), " and ".join(c.when) or "always", "; ".join(c.do), c.then))
    if not any(row[2] for row in table[1:]):
        table = [(number, when, "", then) for number, when, _, then in table]
    widths = _widths([max(len(row[i]) for row in table) for i in range(4)], width - 8)
    for row in table:
        parts = [textwrap.wrap(text, max(w, 1)) or [""] for text, w in zip(row, widths, strict=True)]
        for i in range(max(map(len, parts))):
            texts = [(part[i] if i < len(part) else "").ljust(w) for part, w in zip(parts, widths, strict=True) if w]
            yield ("    " + "  ".join(texts)).rstrip()


def _widths(wanted: list[int], total: int) -> list[int]:
    """The widest column gives way first."""
    widths = list(wanted)
    while sum(widths) + 2 * len(widths) > total and max(widths) > 12:
        widths[widths.index(max(widths))] -= 1
    return widths
