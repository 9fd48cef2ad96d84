"""Questions in decision DAGs: where they stand, what they cost, and which are asked together.

A question is known by its kind, its words and the term of its text: asked once in a run, it is free afterwards.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeAlias

from pointsman.program import catalogue
from pointsman.program.explore.kinds import kind_of
from pointsman.program.ir import Const
from pointsman.program.table.machine import (
    App,
    Decide,
    Machine,
    Node,
    Pick,
    Program,
    Return,
    State,
    Switch,
    Term,
    nodes,
    postorder,
    rebuilt,
    successors,
    symbols,
    terms_of,
)

__all__ = [
    "Asked",
    "asked_at",
    "asked_before",
    "asking_ahead",
    "asks",
    "deciding_returns",
    "machine_asks",
    "price_tokens",
    "program_asks",
    "questions_of",
    "sure_questions",
]

Asked: TypeAlias = tuple[str, tuple[Any, ...], Term]
"""A question: what it is called by, its attrs (wording, type, options), and the term of its text."""

_OVERHEAD_TOKENS: Final = 8  # of a rendered question, beside its words and options; chosen
_CHARACTERS_A_TOKEN: Final = 4  # of English, with the tokenizers of large models


def questions_of(term: Term) -> frozenset[Asked]:
    """The questions that a term asks, those inside other questions' texts too."""
    if not isinstance(term, App):
        return frozenset()
    below = frozenset[Asked]().union(*map(questions_of, term.args)) if term.args else frozenset[Asked]()
    if term.op not in catalogue.QUESTIONS:
        return below
    return below | {("extract" if term.op == "is_stated" else term.op, term.attrs[:3], term.args[0])}


def asks(root: Node) -> bool:
    """Whether any node of a DAG asks a question."""
    return any(asked_at(node) for node in nodes(root))


def machine_asks(machine: Machine) -> bool:
    """Whether a function asks questions, in any of its states."""
    return any(asks(state.root) for state in machine.states)


def program_asks(program: Program) -> list[Asked]:
    """What a program asks, in the order of its states and of their nodes; more than once where it stands so."""
    states = [state for machine in program.machines.values() for state in machine.states]
    return [one for state in states for node in nodes(state.root) for one in sorted(asked_at(node), key=repr)]


def asked_at(node: Node) -> frozenset[Asked]:
    """What a node itself asks; a step asks where its text is not known to be one."""
    found = frozenset[Asked]().union(*map(questions_of, terms_of(node)))
    op = getattr(node, "op", "")
    if op in catalogue.QUESTIONS:
        found |= {("extract" if op == "is_stated" else op, node.attrs, node.args[0])}  # type: ignore[union-attr]
    return found


def price_tokens(question: Asked) -> int:
    """About how many tokens a question has beside its text, which is the same for all questions about it."""
    _, (wording, _, options), _ = question
    return _OVERHEAD_TOKENS + len(wording) // _CHARACTERS_A_TOKEN + 2 * len(options)


def deciding_returns(machine: Machine) -> Machine:
    """The machine where states that ask decide by the truths that they return, which can then be put in order."""

    def change(_: Node, same: Node) -> Node:
        return _decided(same.value) if isinstance(same, Return) else same

    states = tuple(
        replace(state, root=rebuilt(state.root, change)) if asks(state.root) else state for state in machine.states
    )
    return replace(machine, states=states)


def _decided(value: Term) -> Node:
    atom, flipped = value, False
    while isinstance(atom, App) and atom.op == "not":
        atom, flipped = atom.args[0], not flipped
    if isinstance(atom, Const) or kind_of(atom) != "bool":
        return Return(value)
    return Decide(atom, Return(Const(not flipped)), Return(Const(flipped)))


def asked_before(root: Node) -> dict[int, frozenset[Asked]]:
    """By the ids of nodes: what has been asked on every way to there."""
    before: dict[int, frozenset[Asked]] = {id(root): frozenset()}
    for node in reversed(list(postorder(root))):
        known = before[id(node)] | asked_at(node)
        for child in successors(node):
            before[id(child)] = before.get(id(child), known) & known
    return before


# -- which are asked together ------------------------------------------------------------------------------------------


def sure_questions(root: Node) -> dict[int, frozenset[Asked]]:
    """By the ids of nodes: what is asked on every way from there to a leaf, the node's own questions among them."""
    sure: dict[int, frozenset[Asked]] = {}
    for node in postorder(root):
        below = [sure[id(child)] for child in successors(node)]
        common = below[0].intersection(*below[1:]) if below else frozenset[Asked]()
        sure[id(node)] = common | asked_at(node)
    return sure


def asking_ahead(machine: Machine) -> Machine:
    """The machine where each question brings along those that will be needed whatever its answer is: one batch."""
    return replace(machine, states=tuple(map(_with_others, machine.states))) if machine_asks(machine) else machine


def _with_others(state: State) -> State:
    """For emission only: the questions of a batch stand in the attrs of the first.

    Only texts that are there when the state is entered, and do not depend on an answer, can be known then.
    """
    if not asks(state.root):
        return state
    sure, there = sure_questions(state.root), {state.symbol(name) for name, _ in state.variables}
    before = asked_before(state.root)

    def change(node: Node, same: Node) -> Node:
        own = asked_at(node)
        others = sorted(sure[id(node)] - own, key=lambda question: (question[0], repr(question[1])))
        others = [one for one in others if there.issuperset(symbols(one[2])) and not questions_of(one[2])]
        if not others or own <= before[id(node)]:
            return same
        bring = partial(_bringing, others=tuple(others))
        match same:
            case Decide(atom=atom):
                return Decide(bring(atom), same.yes, same.no)
            case Switch(term=term) | Pick(term=term):
                return replace(same, term=bring(term))
        return same

    return replace(state, root=rebuilt(state.root, change))


def _bringing(term: Term, others: tuple[Asked, ...]) -> Term:
    """A term whose first question asks ``others`` along with itself."""
    if not isinstance(term, App):
        return term
    if term.op in catalogue.QUESTIONS:
        attrs = (*term.attrs, tuple((kind, its) for kind, its, _ in others))
        return App(term.op, (*term.args, *(text for _, _, text in others)), attrs, term.kind)
    for index, arg in enumerate(term.args):
        if questions_of(arg):
            return replace(term, args=(*term.args[:index], _bringing(arg, others), *term.args[index + 1 :]))
    return term
