"""The routing table: a finite state machine whose states hold hash-consed decision DAGs.

A *state* stands for a place of the function (its entry, a loop head, a join) and for the variables that are live there.
Its DAG is loop-free: decisions on atoms, steps that may raise or touch memory, in order, and leaves that update all
variables in parallel and name the next state. A path from root to leaf is a *row*: exactly one row applies to any
values (each node has exactly one successor for each of its outcomes), so tables are UNIQUE and COMPLETE by
construction; ``proof`` checks the rows as they are shown.

Terms are pure and total: evaluating one has no effect, cannot raise and does not read memory that can change, so the
emitter may move, share or drop it. Everything else is a ``Do``, which is never moved across another ``Do``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from pointsman.program.ir import Const, Loc, Param, Record, Ref

__all__ = [
    "App",
    "Decide",
    "Do",
    "Goto",
    "Leaf",
    "Machine",
    "Node",
    "Pick",
    "Program",
    "Raise",
    "Range",
    "Return",
    "State",
    "Switch",
    "Sym",
    "Take",
    "Term",
    "made_by",
    "nodes",
    "part",
    "postorder",
    "rebuilt",
    "successors",
    "symbols",
    "terms_of",
    "with_successors",
]


@dataclass(frozen=True, slots=True)
class Sym:
    """A value known by name: a state's variable at its entry, or the result of a ``Do`` or ``Take``."""

    name: str
    kind: str = "any"


class _Shared:
    """A part of a DAG. Its hash is kept, and equality looks at each pair of parts once: parts are deep and shared."""

    __slots__ = ()
    _hash: int

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(self) is not type(other) or self._hash != hash(other):
            return False
        seen: set[tuple[int, int]] = set()
        stack: list[tuple[Any, Any]] = [(self, other)]
        while stack:
            a, b = stack.pop()
            if a is b or (id(a), id(b)) in seen:
                continue
            if type(a) is not type(b) or hash(a) != hash(b):
                return False
            if not isinstance(a, _Shared):
                if a != b:
                    return False
                continue
            seen.add((id(a), id(b)))
            (first, below), (second, under) = _own_and_parts(a), _own_and_parts(b)
            if first != second or len(below) != len(under):
                return False
            stack.extend(zip(below, under, strict=True))
        return True


@dataclass(frozen=True, slots=True, eq=False)
class App(_Shared):
    """An operation on terms that is pure and total for these kinds of arguments.

    ``size``: how many operations and operands it has when it is written out.
    """

    op: str
    args: tuple[Term, ...]
    attrs: tuple[Any, ...] = ()
    kind: str = "any"
    size: int = field(init=False, repr=False)
    _hash: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash((self.op, self.args, self.attrs)))
        object.__setattr__(self, "size", 1 + sum(a.size if isinstance(a, App) else 1 for a in self.args))


Term: TypeAlias = Sym | Const | Ref | App


@dataclass(frozen=True, slots=True)
class Range:
    """What is known of a value: its kind and, for an int, bounds (None: none)."""

    kind: str = "any"
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Decide(_Shared):
    """Two ways, by a bool atom."""

    atom: Term
    yes: Node
    no: Node
    _hash: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash(("decide", self.atom, self.yes, self.no)))


@dataclass(frozen=True, slots=True, eq=False)
class Switch(_Shared):
    """An int term against rising cuts: child k for ``cuts[k-1] <= term < cuts[k]``."""

    term: Term
    cuts: tuple[int, ...]
    children: tuple[Node, ...]
    _hash: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash(("switch", self.term, self.cuts, self.children)))


@dataclass(frozen=True, slots=True, eq=False)
class Pick(_Shared):
    """A term against constants, each with its child, and one for everything else."""

    term: Term
    keys: tuple[Const, ...]
    children: tuple[Node, ...]
    default: Node
    _hash: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash(("pick", self.term, self.keys, self.children, self.default)))


@dataclass(frozen=True, slots=True, eq=False)
class Do(_Shared):
    """A step that may raise, or reads or changes memory. Steps of a path happen in its order."""

    result: Sym
    op: str
    args: tuple[Term, ...]
    attrs: tuple[Any, ...]
    next: Node
    _hash: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash(("do", self.result, self.op, self.args, self.attrs, self.next)))


@dataclass(frozen=True, slots=True, eq=False)
class Take(_Shared):
    """The iterator's next item, if there is one."""

    result: Sym
    iterator: Term
    then: Node
    exhausted: Node
    _hash: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash(("take", self.result, self.iterator, self.then, self.exhausted)))


@dataclass(frozen=True, slots=True, eq=False)
class Goto(_Shared):
    """To a state; ``updates`` gives every variable of that state its value, in parallel."""

    state: int
    updates: tuple[tuple[str, Term], ...]
    _hash: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash(("goto", self.state, self.updates)))


@dataclass(frozen=True, slots=True)
class Return:
    value: Term


@dataclass(frozen=True, slots=True)
class Raise:
    exception: Term


Node: TypeAlias = Decide | Switch | Pick | Do | Take | Goto | Return | Raise
Leaf: TypeAlias = Goto | Return | Raise


@dataclass(frozen=True, slots=True)
class State:
    """A place of the function, with its DAG.

    ``variables`` are live at entry, with what is known of them. ``handler`` is the state that an exception of this
    state's steps goes to, with the variables as they were at entry and the exception as ``caught``.
    """

    index: int
    label: str
    variables: tuple[tuple[str, Range], ...]
    root: Node
    handler: int | None = None
    caught: str | None = None
    loop: bool = False
    loc: Loc = Loc(0, 0, 0, 0)

    def symbol(self, name: str) -> Sym:
        return Sym(name, dict(self.variables)[name].kind)


@dataclass(frozen=True, slots=True)
class Machine:
    """One function as a state machine; state 0 is its entry.

    ``guards`` are the checked parameter kinds that the table relies on; when an argument has another type, the machine
    ``generic`` (same function) applies instead.
    """

    name: str
    qualname: str
    params: tuple[Param, ...]
    states: tuple[State, ...]
    guards: tuple[tuple[str, str], ...] = ()
    captures: tuple[str, ...] = ()
    memo: int = 0
    generator: bool = False
    generic: Machine | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled program: the machines that ``entry`` reaches, its records and module values."""

    entry: str
    machines: dict[str, Machine]
    records: dict[str, Record]
    globals: dict[str, str]
    opaque: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()  # data attributes that other classes of the source declare


def successors(node: Node) -> tuple[Node, ...]:
    match node:
        case Decide(yes=yes, no=no):
            return (yes, no)
        case Switch(children=children):
            return children
        case Pick(children=children, default=default):
            return (*children, default)
        case Do(next=following):
            return (following,)
        case Take(then=then, exhausted=exhausted):
            return (then, exhausted)
    return ()


def with_successors(node: Node, children: tuple[Node, ...]) -> Node:
    """The node with other successors, in the order of ``successors``."""
    match node:
        case Decide(atom=atom):
            return Decide(atom, *children)
        case Switch(term=term, cuts=cuts):
            return Switch(term, cuts, children)
        case Pick(term=term, keys=keys):
            return Pick(term, keys, children[:-1], children[-1])
        case Do():
            return replace(node, next=children[0])
        case Take():
            return replace(node, then=children[0], exhausted=children[1])
    return node


def made_by(node: Node) -> tuple[Sym, ...]:
    """The symbols that a node binds: its result, or the parts of an ``unpack`` (``%3.0``, ``%3.1``, ...)."""
    if isinstance(node, Do) and node.op == "unpack":
        before, after = node.attrs
        total = before + (0 if after is None else after + 1)
        return tuple(part(node.result, i, i == before) for i in range(total))
    return (node.result,) if isinstance(node, Do | Take) else ()


def part(result: Sym, index: int, starred: bool = False) -> Sym:
    """The symbol of one part of an unpacked value."""
    return Sym(f"{result.name}.{index}", "list" if starred else "any")


def terms_of(node: Node) -> tuple[Term, ...]:
    """The terms that a node itself evaluates, in order."""
    match node:
        case Decide(atom=atom):
            return (atom,)
        case Switch(term=term) | Pick(term=term):
            return (term,)
        case Do(args=args):
            return args
        case Take(iterator=iterator):
            return (iterator,)
        case Goto(updates=updates):
            return tuple(term for _, term in updates)
        case Return(value=value):
            return (value,)
        case Raise(exception=exception):
            return (exception,)


def nodes(root: Node) -> Iterator[Node]:
    """Every node of a DAG once, parents before children of the same path."""
    seen: set[int] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield node
        stack.extend(reversed(successors(node)))


def postorder(root: Node, stops: Collection[Node] = ()) -> Iterator[Node]:
    """Every node of a DAG once, children before parents; what is below ``stops`` (but the root) is left out.

    Not recursive: a chain of rules is as deep as it is long.
    """
    done: set[int] = set()
    stack: list[tuple[Node, bool]] = [(root, False)]
    while stack:
        node, leaving = stack.pop()
        if leaving:
            yield node
        elif id(node) not in done:
            done.add(id(node))
            stack.append((node, True))
            if not stops or node is root or node not in stops:
                stack.extend((child, False) for child in reversed(successors(node)) if id(child) not in done)


def rebuilt(root: Node, change: Callable[[Node, Node], Node], stops: Collection[Node] = ()) -> Node:
    """The DAG with ``change(node, same)`` in place of each node; ``same`` is the node above its changed successors.

    What is below ``stops`` stays as it is.
    """
    done: dict[int, Node] = {}
    for node in postorder(root, stops):
        before = successors(node)
        after = tuple(done.get(id(child), child) for child in before)
        kept = all(a is b for a, b in zip(before, after, strict=True))
        done[id(node)] = change(node, node if kept else with_successors(node, after))
    return done[id(root)]


def _own_and_parts(part: _Shared) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """What a node or term says itself, and the terms and nodes that it is made of."""
    match part:
        case App(op=op, args=args, attrs=attrs, kind=kind):
            return (op, attrs, kind), args
        case Switch(term=term, cuts=cuts, children=children):
            return (cuts,), (term, *children)
        case Pick(term=term, keys=keys, children=children, default=default):
            return (keys,), (term, *children, default)
        case Do(result=result, op=op, args=args, attrs=attrs, next=following):
            return (result, op, attrs), (*args, following)
        case Take(result=result, iterator=iterator, then=then, exhausted=exhausted):
            return (result,), (iterator, then, exhausted)
        case Goto(state=state, updates=updates):
            return (state, tuple(name for name, _ in updates)), tuple(term for _, term in updates)
        case Decide(atom=atom, yes=yes, no=no):
            return (), (atom, yes, no)
    raise AssertionError(f"no rule for {type(part).__name__}")


def symbols(term: Term) -> Iterator[Sym]:
    """Every symbol of a term, as often as it occurs, left to right."""
    if isinstance(term, Sym):
        yield term
    elif isinstance(term, App):
        for arg in term.args:
            yield from symbols(arg)
