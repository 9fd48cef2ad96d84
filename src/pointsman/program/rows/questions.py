"""Questions of a table for people: a short name each, which rows use, and a list of what they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pointsman.program.rows.terms_text import Text, question_key, shown
from pointsman.program.table.asking import Asked, asked_at, price_tokens
from pointsman.program.table.machine import Machine, nodes

__all__ = ["Entry", "entries", "held_questions", "named_questions", "question_lines"]

_ANSWERS = {"bool": "yes or no", "int": "an int", "float": "a number", "date": "a date", "span": "words of it"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A question as a list of names tells it; the price is about what it costs beside the text."""

    name: str
    kind: str
    wording: str
    text: str
    answers: str
    price_tokens: int


def named_questions(machine: Machine) -> dict[Asked, str]:
    """The questions of a function, in the order in which its states ask them, as ``?1``, ``?2`` ..."""
    found: dict[Asked, str] = {}
    for state in machine.states:
        for node in nodes(state.root):
            for question in sorted(asked_at(node), key=repr):
                found.setdefault(question, f"?{len(found) + 1}")
    return found


def held_questions(names: Mapping[Asked, str]) -> dict[str, Text]:
    """What rows write in place of questions (see ``terms_text.Held``)."""
    return {question_key(*question): Text(name) for question, name in names.items()}


def entries(names: Mapping[Asked, str]) -> list[Entry]:
    """What each name stands for."""
    return [
        Entry(name, kind, attrs[0], shown(text), _answers(kind, attrs), price_tokens((kind, attrs, text)))
        for (kind, attrs, text), name in names.items()
    ]


def question_lines(names: Mapping[Asked, str]) -> list[str]:
    """What each name stands for, a line each."""
    return [f"{e.name}  {e.wording!r} of {e.text}: {e.answers}; {e.price_tokens} tokens" for e in entries(names)]


def _answers(kind: str, attrs: tuple[Any, ...]) -> str:
    _, type_, options = attrs
    told = ", ".join(options) if type_ == "option" else _ANSWERS[type_]
    return f"{told}, or nothing" if kind == "extract" else told
