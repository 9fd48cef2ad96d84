"""The rope of lines does what lists of lines do."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pointsman.program.emit.lines import Lines, chain, indented, joined, line

TEXTS = st.sampled_from(["x = 1", "return x", "break", "continue", "raise y", "if x:", "pass"])
Plain = list[tuple[int, str]]
BUILT = st.recursive(
    TEXTS.map(lambda text: ("line", text)),
    lambda inner: st.one_of(
        st.tuples(st.just("joined"), st.lists(inner, max_size=4)),
        st.tuples(st.just("indented"), inner),
        st.tuples(st.just("last"), inner),
    ),
    max_leaves=12,
)


def rope(built: Any) -> Lines:
    match built:
        case ("line", text):
            return line(text)
        case ("joined", parts):
            return joined(*map(rope, parts))
        case ("indented", part):
            return indented(rope(part))
        case ("last", part):
            return rope(part).without_last("continue")
    raise AssertionError(built)


def plain(built: Any) -> Plain:
    match built:
        case ("line", text):
            return [(0, text)]
        case ("joined", parts):
            return [entry for part in parts for entry in plain(part)]
        case ("indented", part):
            return [(level + 1, text) for level, text in plain(part)]
        case ("last", part):
            lines = plain(part)
            return lines[:-1] if lines and lines[-1] == (0, "continue") else lines
    raise AssertionError(built)


def falls(lines: Plain) -> bool:
    if not lines:
        return True
    level, text = lines[-1]
    return level != 0 or not text.startswith(("return", "raise", "break", "continue"))


@given(BUILT)
def test_a_rope_is_its_lines(built: Any) -> None:
    lines, expected = rope(built), plain(built)
    assert lines.lines(2) == ["    " * (2 + level) + text for level, text in expected]
    assert len(lines) == len(expected)
    assert bool(lines) == bool(expected)
    assert lines.falls == falls(expected)
    assert lines.breaks == any(text == "break" for _, text in expected)


@given(BUILT, BUILT)
def test_ropes_are_equal_where_their_lines_are(first: Any, second: Any) -> None:
    assert (rope(first) == rope(second)) == (plain(first) == plain(second))


def test_an_if_statement_knows_its_first_line_and_the_rest() -> None:
    found = chain("if x:", joined(indented(line("y")), line("else:"), indented(line("z"))))
    assert found.lines(0) == ["if x:", "    y", "else:", "    z"]
    assert found.chain is not None
    first, rest = found.chain
    assert (first, rest.lines(0)) == ("if x:", ["    y", "else:", "    z"])
    assert joined(found, line("w")).chain is None
    assert joined(found).chain is not None


def test_joining_costs_the_same_however_long_the_parts_are() -> None:
    lines = line("x")
    for _ in range(3_000):  # lists would copy 4.5 million lines
        lines = joined(line("if a:"), indented(line("return")), lines)
    assert len(lines) == 6_001
    assert lines.lines(0)[-1] == "x"
