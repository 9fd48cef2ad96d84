"""Lines of Python as a rope: joining and indenting cost the same however long the parts are.

A list of n rules is a nest of n branches, and each level joins and indents all that is below it. What the printer asks
of lines (how many, do they end in a jump, are they one `if` statement, are they equal to others) is known of each part.
"""

from __future__ import annotations

from typing import Final

__all__ = ["Lines", "chain", "indented", "joined", "line"]

_PRIME: Final = (1 << 61) - 1
_LINE, _LEVEL = 1_000_003, 998_244_353  # factors of the fingerprint: one a line, one a level of indentation


class Lines:
    """Immutable lines, each with a level of indentation.

    ``falls``: control may reach their end. ``breaks``: one of them is ``break``. ``chain``: where they are one `if`
    statement with its `elif` and `else`, its first line and the rest.
    """

    __slots__ = ("breaks", "chain", "falls", "fingerprint", "parts", "size")

    def __init__(
        self,
        parts: tuple[str | tuple[int, Lines], ...],
        size: int,
        fingerprint: int,
        *,
        falls: bool = True,
        breaks: bool = False,
        chain: tuple[str, Lines] | None = None,
    ) -> None:
        self.parts = parts
        self.size = size
        self.fingerprint = fingerprint
        self.falls = falls
        self.breaks = breaks
        self.chain = chain

    def __len__(self) -> int:
        return self.size

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Lines) or (self.size, self.fingerprint) != (other.size, other.fingerprint):
            return False
        return self.lines(0) == other.lines(0)

    __hash__ = None  # type: ignore[assignment]  # compared only

    def lines(self, depth: int) -> list[str]:
        """As text, indented by ``depth`` levels more."""
        result: list[str] = []
        stack: list[tuple[int, str | tuple[int, Lines]]] = [(depth, (0, self))]
        while stack:
            level, part = stack.pop()
            if isinstance(part, str):
                result.append("    " * level + part)
            else:
                more, inner = part
                stack.extend((level + more, p) for p in reversed(inner.parts))
        return result

    def without_last(self, text: str) -> Lines:
        """Without the last line, where that is ``text`` and not indented."""
        if self.parts == (text,):
            return _EMPTY
        last = self.parts[-1] if self.parts else None
        if not isinstance(last, tuple) or last[0] > 0:
            return self
        shorter = last[1].without_last(text)
        if shorter is last[1]:
            return self
        before = [part[1] if part[0] == 0 else indented(part[1]) for part in self.parts[:-1] if isinstance(part, tuple)]
        return joined(*before, shorter)


_EMPTY: Final = Lines((), 0, 0)


def line(text: str) -> Lines:
    """One line that is not indented."""
    jumps = text in {"break", "continue"} or text.startswith(("return", "raise"))
    return Lines((text,), 1, hash(text) % _PRIME, falls=not jumps, breaks=text == "break")


def joined(*parts: Lines) -> Lines:
    """One after another."""
    parts = tuple(part for part in parts if part.size)
    if len(parts) < 2:
        return parts[0] if parts else _EMPTY
    size, fingerprint = 0, 0
    for part in parts:
        size += part.size
        fingerprint = (fingerprint * pow(_LINE, part.size, _PRIME) + part.fingerprint) % _PRIME
    breaks = any(part.breaks for part in parts)
    return Lines(tuple((0, part) for part in parts), size, fingerprint, falls=parts[-1].falls, breaks=breaks)


def indented(lines: Lines) -> Lines:
    """One level deeper: control may always reach the end, since nothing says that it gets here."""
    return Lines(((1, lines),), lines.size, lines.fingerprint * _LEVEL % _PRIME, breaks=lines.breaks)


def chain(first: str, rest: Lines) -> Lines:
    """An `if` statement: its first line, and its body with what follows in it."""
    found = joined(line(first), rest)
    found.chain = first, rest
    return found
