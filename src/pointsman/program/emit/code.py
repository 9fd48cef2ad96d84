"""Emitted statements as a small tree, printed at the end: empty branches vanish, equal ones merge into and/or.

A ``Jump`` is a place where control must get to another state. While the tree is built it learns how: by falling to
what follows (no text), by ``break`` or ``continue``, and whether a selector must say where to go after that.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pointsman.program.emit.lines import Lines, chain, indented, joined, line

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
    """``passing``: the class of what is no exception of the program, and so is not caught; None where there is none."""

    body: Block
    caught: str
    handler: Block
    passing: str | None = None


Item = str | Jump | Branch | Repeat | Guarded
Block = list[Item]


def print_block(block: Block, depth: int) -> list[str]:
    """Lines of Python; an empty list where there is nothing to do."""
    return _Printer().lines(block).lines(depth)


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
        parts: list[Lines] = []
        for position, item in enumerate(block):
            part = self._item(item)
            if parts and isinstance(item, Branch) and isinstance(block[position - 1], str):
                short = _short_circuit(str(block[position - 1]), part)
                if short is not None:
                    parts[-1:] = [short]
                    break
            if part:
                parts.append(part)
            if part and not part.falls:
                break
        return joined(*parts)

    def _item(self, item: Item) -> Lines:
        match item:
            case str():
                return line(item)
            case Jump():
                return joined(*map(line, item.lines()))
            case Branch():
                return self._branch(item)
            case Repeat():
                return self._repeat(item)
            case Guarded():
                body, handler = _body(self.lines(item.body)), _body(self.lines(item.handler))
                passing = [line(f"except {item.passing}: raise")] if item.passing else []
                return joined(line("try:"), body, *passing, line(f"except _BaseException as {item.caught}:"), handler)

    def _repeat(self, item: Repeat) -> Lines:
        result = joined(line(item.header), _body(self.lines(item.body).without_last("continue")))
        otherwise = self.lines(item.otherwise)
        if otherwise and result.breaks:
            return joined(result, line("else:"), indented(otherwise))
        return joined(result, otherwise)

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


def _short_circuit(before: str, printed: Lines) -> Lines | None:
    """``t = A; if t: return B; return t`` as ``return A and B``, and the same for or; None for anything else."""
    local, equals, first = before.partition(" = ")
    if not equals or not local.isidentifier() or len(printed) != 3:
        return None
    head, inner, last = printed.lines(0)
    given, kept = inner.removeprefix("    return "), last.removeprefix("return ")
    if head not in {f"if {local}:", f"if not {local}:"} or given == inner or kept == last or local not in {given, kept}:
        return None
    second = given if kept == local else kept
    if re.search(rf"\b{local}\b", second):
        return None
    word = "and" if (head == f"if {local}:") == (kept == local) else "or"
    return line(f"return {_part(first)} {word} {_part(second)}")


def _part(text: str) -> str:
    """An operand of ``and`` or ``or``, in parentheses unless it is one word."""
    return text if text.isidentifier() else f"({text})"


def _body(lines: Lines) -> Lines:
    return indented(lines or line("pass"))


def _both(word: str, first: str, second: str) -> tuple[str, str]:
    """Two tests as one, and its opposite; each part in parentheses unless it is one word."""
    parts = [text if text.isidentifier() else f"({text})" for text in (first, second)]
    text = f" {word} ".join(parts)
    return text, f"not ({text})"


def _if(condition: str, opposite: str, yes: Lines, no: Lines) -> Lines:
    if yes == no:
        return joined(line(condition), yes)
    if not yes:
        return chain(f"if {opposite}:", indented(no))
    if not no:
        return chain(f"if {condition}:", indented(yes))
    if not yes.falls:
        return joined(line(f"if {condition}:"), indented(yes), no)
    if len(no) <= 2 and not no.falls:
        return joined(line(f"if {opposite}:"), indented(no), yes)
    if no.chain is not None:
        first, rest = no.chain
        return chain(f"if {condition}:", joined(indented(yes), line(f"el{first}"), rest))
    return chain(f"if {condition}:", joined(indented(yes), line("else:"), indented(no)))
