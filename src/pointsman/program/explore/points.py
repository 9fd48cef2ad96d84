"""Program points of structured IR: what follows each statement, which handler covers it, and what is live there."""

from __future__ import annotations

from dataclasses import dataclass, field

from pointsman.program import ir
from pointsman.program.ir import Body, Function, Let, Var

__all__ = ["Point", "Points", "Scope"]


@dataclass(frozen=True, slots=True)
class Point:
    """Before statement ``index`` of body ``body`` (or at its end)."""

    body: int
    index: int


@dataclass(frozen=True, slots=True)
class Scope:
    """One `try` body: where its exceptions go."""

    number: int
    handler: Point
    caught: str
    outer: int | None


@dataclass
class _Context:
    body: Body
    after: Point | None  # where the end of this body goes on; None: the function's end
    scope: int | None
    live: list[frozenset[str]] = field(default_factory=list)


class Points:
    """Numbers the bodies of a function and answers questions about its points."""

    def __init__(self, function: Function) -> None:
        self.contexts: list[_Context] = []
        self.scopes: list[Scope] = []
        self.labels: dict[str, Point] = {}
        self.inside: dict[tuple[int, int, int], int] = {}  # (body, index, which inner body) -> body number
        self.try_scope: dict[Point, int] = {}
        self.entry = Point(self._number(function.body, None, None), 0)
        self._liveness()

    def _number(self, body: Body, after: Point | None, scope: int | None) -> int:
        number = len(self.contexts)
        self.contexts.append(_Context(body, after, scope))
        for index, statement in enumerate(body):
            following = Point(number, index + 1)
            match statement:
                case ir.Block(label=label, body=inner):
                    self.labels[label] = following
                    self.inside[number, index, 0] = self._number(inner, following, scope)
                case ir.Loop(label=label, body=inner):
                    head = Point(len(self.contexts), 0)
                    self.labels[label] = head
                    self.inside[number, index, 0] = self._number(inner, head, scope)
                case ir.Try(body=inner, caught=caught, handler=handler):
                    guarded = len(self.scopes)
                    self.scopes.append(Scope(guarded, Point(-1, 0), caught, scope))
                    self.inside[number, index, 0] = self._number(inner, following, guarded)
                    handler_body = self._number(handler, following, scope)
                    self.inside[number, index, 1] = handler_body
                    self.scopes[guarded] = Scope(guarded, Point(handler_body, 0), caught, scope)
                case ir.If() | ir.Next():
                    for which, inner in enumerate(ir.children(statement)):
                        self.inside[number, index, which] = self._number(inner, following, scope)
        return number

    def normalise(self, point: Point) -> Point:
        """Past the ends of bodies to the statement that runs next (loop heads included)."""
        seen = set()
        while True:
            context = self.contexts[point.body]
            if point.index < len(context.body) or context.after is None:
                return point
            if point in seen:
                return point
            seen.add(point)
            point = context.after

    def statement(self, point: Point) -> ir.Statement | None:
        context = self.contexts[point.body]
        return context.body[point.index] if point.index < len(context.body) else None

    def scope(self, point: Point) -> int | None:
        return self.contexts[point.body].scope

    def inner(self, point: Point, which: int) -> Point:
        return Point(self.inside[point.body, point.index, which], 0)

    def live(self, point: Point) -> frozenset[str]:
        return self.contexts[point.body].live[point.index]

    def live_in_handler(self, scope: int | None) -> frozenset[str]:
        if scope is None:
            return frozenset()
        record = self.scopes[scope]
        return self.live(record.handler) - {record.caught}

    def is_loop_head(self, point: Point) -> bool:
        return point in self._heads

    def _liveness(self) -> None:
        """Backward to a fixed point: the names whose present value some path from here reads."""
        for context in self.contexts:
            context.live = [frozenset()] * (len(context.body) + 1)
        self._heads = {self.labels[s.label] for c in self.contexts for s in c.body if isinstance(s, ir.Loop)}
        order: list[tuple[int, int]] = []
        self._backward(self.entry.body, order)
        changed = True
        while changed:  # once more for each loop inside a loop
            changed = False
            for number, index in order:
                now = self._live_at(number, index)
                if now != self.contexts[number].live[index]:
                    self.contexts[number].live[index] = now
                    changed = True

    def _backward(self, number: int, order: list[tuple[int, int]]) -> None:
        """The points of a body from its end, each after those that follow it (but for the ways back of loops)."""
        body = self.contexts[number].body
        order.append((number, len(body)))
        for index in range(len(body) - 1, -1, -1):
            for which in (1, 0):  # a handler before the body that it covers
                inner = self.inside.get((number, index, which))
                if inner is not None:
                    self._backward(inner, order)
            order.append((number, index))

    def _live_at(self, number: int, index: int) -> frozenset[str]:
        context = self.contexts[number]
        handled = frozenset[str]()
        if context.scope is not None and self.scopes[context.scope].handler.body >= 0:
            handled = self.live_in_handler(context.scope)
        if index == len(context.body):
            return handled | (self.live(context.after) if context.after is not None else frozenset())
        statement = context.body[index]
        after = context.live[index + 1]
        used = {o.name for o in ir.operands(statement) if isinstance(o, Var)}
        match statement:
            case Let(target=target):
                return frozenset((after - {target}) | used | handled)
            case ir.If():
                inner = [self.live(self.inner(Point(number, index), k)) for k in (0, 1)]
                return frozenset(inner[0] | inner[1] | used | handled)
            case ir.Next(target=target):
                inner = [self.live(self.inner(Point(number, index), k)) for k in (0, 1)]
                return frozenset((inner[0] - {target}) | inner[1] | used | handled)
            case ir.Block() | ir.Loop():
                return self.live(self.inner(Point(number, index), 0)) | handled
            case ir.Try(caught=caught):
                body = self.live(self.inner(Point(number, index), 0))
                handler = self.live(self.inner(Point(number, index), 1)) - {caught}
                return body | handler | handled
            case ir.Jump(target=label):
                return self.live(self.labels[label]) | handled
            case ir.Return() | ir.Raise():
                return frozenset(used | handled)
        raise AssertionError(f"no rule for {type(statement).__name__}")
