"""Random decision DAGs over two ints, a string and an opaque atom, and the slow way to run them."""

from itertools import product
from typing import Any

from hypothesis import strategies as st

from pointsman.program.ir import Const
from pointsman.program.table.machine import App, Decide, Node, Pick, Return, Switch, Sym, Term

X, Y, S, P = Sym("x", "int"), Sym("y", "int"), Sym("s", "str"), Sym("p", "bool")
VALUES = [{"x": x, "y": y, "s": s, "p": p} for x, y, s, p in product(range(-1, 6), range(-1, 6), "abz", (False, True))]
Values = dict[str, Any]


def atom(op: str, term: Term, value: Any) -> App:
    return App(op, (term, Const(value)), (), "bool")


ATOMS = st.one_of(
    st.builds(atom, st.sampled_from(["lt", "eq"]), st.sampled_from([X, Y]), st.integers(0, 4)),
    st.builds(atom, st.just("eq"), st.just(S), st.sampled_from("abc")),
    st.just(P),
    st.just(App("lt", (X, Y), (), "bool")),
)
TREES = st.recursive(
    st.integers(0, 3).map(lambda n: Return(Const(n))),
    lambda inner: st.builds(Decide, ATOMS, inner, inner),
    max_leaves=16,
)


def holds(test: Term, values: Values) -> bool:
    if isinstance(test, Sym):
        return bool(values[test.name])
    assert isinstance(test, App)
    left, right = (a.value if isinstance(a, Const) else values[a.name] for a in test.args)  # type: ignore[union-attr]
    return bool(left < right) if test.op == "lt" else bool(left == right)


def leaf(node: Node, values: Values) -> Node:
    """The leaf that these values come to."""
    while True:
        match node:
            case Decide(atom=test, yes=yes, no=no):
                node = yes if holds(test, values) else no
            case Switch(term=Sym(name=name), cuts=cuts, children=children):
                node = children[sum(values[name] >= cut for cut in cuts)]
            case Pick(term=Sym(name=name), keys=keys, children=children, default=default):
                found = [child for key, child in zip(keys, children, strict=True) if key.value == values[name]]
                node = found[0] if found else default
            case _:
                return node


def same_everywhere(first: Node, second: Node) -> bool:
    """By trying all values: bounds and keys of the trees are all among them."""
    return all(leaf(first, values) == leaf(second, values) for values in VALUES)
