"""The rows of a table, made for people to read.

``facts``: what a guard says of one term. ``paths``: the rows of a state. ``terms_text`` and ``row_text``: their text.
``tables``: a whole program for a terminal.
"""

from pointsman.program.rows.facts import Among, Fact, Span, atoms, both, fact_of, join
from pointsman.program.rows.paths import Row, Step, rows_of, state_name, ways
from pointsman.program.rows.questions import Entry, entries, held_questions, named_questions
from pointsman.program.rows.row_text import Cells, condition, describe
from pointsman.program.rows.tables import show_table, signature
from pointsman.program.rows.terms_text import Held, name_of, shown, text_of

__all__ = [
    "Among",
    "Cells",
    "Entry",
    "Fact",
    "Held",
    "Row",
    "Span",
    "Step",
    "atoms",
    "both",
    "condition",
    "describe",
    "entries",
    "fact_of",
    "held_questions",
    "join",
    "name_of",
    "named_questions",
    "rows_of",
    "show_table",
    "shown",
    "signature",
    "state_name",
    "text_of",
    "ways",
]
