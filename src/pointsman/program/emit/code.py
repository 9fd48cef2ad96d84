"""Emitted statements as a small tree, printed at the end: empty branches vanish, equal ones merge into and/or.

A ``Jump`` is a place where control must get to another state. While the tree is built it learns how: by falling to
what follows (no text), by ``break`` or ``continue``, and whether a selector must say where to go after that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

__all__ = ["Block", "Branch", "Guarded", "Item", "Jump", "Repeat", "print_block"]

SELECTOR = "_to"


@dataclass
class Jump:
    target: int
    select: bool = False  # the selector must hold the target
    keyword: str = ""  # "break", "continue" or "" for falling to what follows

    def lines(self) -> list[str]:
        lines = [f"{SELECTOR} = {self.target}"] if self.select else []
        return lines + ([self.keyword] if self.keyword else [])


@dataclass
class Branch:
    condition: str
    opposite: str
    yes: Block
    no: Block


@dataclass
class Repeat:
    """A loop; ``otherwise`` runs when it ends without ``break``."""

    header: str
    body: Block
    otherwise: Block = field(default_factory=list)


@dataclass
class Guarded:
    body: Block
    caught: str
    handler: Block


Item = str | Jump | Branch | Repeat | Guarded
Block = list[Item]


def print_block(block: Block, depth: int) -> list[str]:
    """Lines of Python; an empty list where there is nothing to do."""
    return [("    " * (depth + level)) + text for level, text in _Printer().lines(block)]


Lines = list[tuple[int, str]]


class _Printer:
    """Prints blocks, each once: the same block is asked for at every level of a nest of branches."""

    def __init__(self) -> None:
        self.done: dict[int, Lines] = {}

    def lines(self, block: Block) -> Lines:
        found = self.done.get(id(block))
        if found is None:
            found = self.done[id(block)] = self._print(block)
        return found

    def _print(self, block: Block) -> Lines:
        result: Lines = []
        for item in block:
            result.extend(self._item(item))
            if not _falls(result):
                break
        return result

    def _item(self, item: Item) -> Lines:
        match item:
            case str():
                return [(0, item)]
            case Jump():
                return [(0, text) for text in item.lines()]
            case Branch():
                return self._branch(item)
            case Repeat():
                return self._repeat(item)
            case Guarded():
                body, handler = _indented(self.lines(item.body)), _indented(self.lines(item.handler))
                return [(0, "try:"), *body, (0, f"except _Exception as {item.caught}:"), *handler]

    def _repeat(self, item: Repeat) -> Lines:
        result = [(0, item.header), *_indented(_drop_last_continue(self.lines(item.body)))]
        otherwise = self.lines(item.otherwise)
        if otherwise and any(text == "break" for _, text in result):
            return [*result, (0, "else:"), *_indented(otherwise)]
        return result + otherwise

    def _branch(self, item: Branch) -> Lines:
        """Merges what nested branches share.

        if a: (if b: Y else: N) else: N   ->  if a and b: Y else: N;  the same for or
        """
        condition, opposite, yes, no = item.condition, item.opposite, item.yes, item.no
        while True:
            inner = yes[0] if len(yes) == 1 else None
            if isinstance(inner, Branch) and self.lines(inner.no) == self.lines(no):
                (condition, opposite), yes = _both("and", condition, inner.condition), inner.yes
                continue
            if isinstance(inner, Branch) and self.lines(inner.yes) == self.lines(no):
                (condition, opposite), yes = _both("and", condition, inner.opposite), inner.no
                continue
            inner = no[0] if len(no) == 1 else None
            if isinstance(inner, Branch) and self.lines(inner.yes) == self.lines(yes):
                (condition, opposite), no = _both("or", condition, inner.condition), inner.no
                continue
            if isinstance(inner, Branch) and self.lines(inner.no) == self.lines(yes):
                (condition, opposite), no = _both("or", condition, inner.opposite), inner.yes
                continue
            return _if(condition, opposite, self.lines(yes), self.lines(no))


def _indented(lines: Lines) -> Lines:
    return [(level + 1, text) for level, text in lines] if lines else [(1, "pass")]


def _drop_last_continue(lines: Lines) -> Lines:
    return lines[:-1] if lines and lines[-1] == (0, "continue") else lines


def _falls(lines: Lines) -> bool:
    """Whether control can reach the end of these lines (a last top-level jump says no; else it may)."""
    if not lines:
        return True
    level, text = lines[-1]
    return level != 0 or not (text in {"break", "continue"} or text.startswith(("return", "raise")))


def _never_falls(lines: Lines) -> bool:
    return not _falls(lines) or (bool(lines) and _both_end(lines))


def _both_end(lines: Lines) -> bool:
    """An if/else at the end whose branches both end in a jump."""
    places = [i for i, (level, _) in enumerate(lines) if level == 0]
    if not places or lines[places[-1]][1] != "else:":
        return False
    last = lines[places[-1] + 1 :]
    heads = [i for i in places[:-1] if lines[i][1].startswith("if ")]
    if not heads:
        return False
    start = heads[-1]
    arms = [i for i in places if i >= start]
    if any(not lines[i][1].startswith(("if ", "elif ", "else:")) for i in arms):
        return False
    bodies = [lines[a + 1 : b] for a, b in pairwise(arms)] + [last]
    return all(_never_falls([(level - 1, text) for level, text in body]) for body in bodies)


def _both(word: str, first: str, second: str) -> tuple[str, str]:
    """Two tests as one, and its opposite; each part in parentheses unless it is one word."""
    parts = [text if text.isidentifier() else f"({text})" for text in (first, second)]
    text = f" {word} ".join(parts)
    return text, f"not ({text})"


def _if(condition: str, opposite: str, yes: Lines, no: Lines) -> Lines:
    if yes == no:
        return [(0, condition), *yes]
    if not yes:
        return [(0, f"if {opposite}:"), *_indented(no)]
    result = [(0, f"if {condition}:"), *_indented(yes)]
    if not no:
        return result
    if _never_falls(yes):
        return result + no
    if len(no) <= 2 and _never_falls(no):
        return [(0, f"if {opposite}:"), *_indented(no), *yes]
    if (
        no[0][1].startswith("if ")
        and all(level > 0 or text.startswith(("if ", "elif ", "else:")) for level, text in no)
        and (sum(level == 0 and text.startswith("if ") for level, text in no) == 1)
    ):
        return [*result, (0, f"el{no[0][1]}"), *no[1:]]
    return [*result, (0, "else:"), *_indented(no)]
