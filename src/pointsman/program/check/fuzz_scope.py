"""What the fuzzing writer knows about the place it writes at."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Callee:
    """A function that expressions may call: the kinds it takes and returns, and the work of one call."""

    name: str
    parameters: tuple[tuple[str, str], ...]
    returns: str
    work: int
    num_defaults: int = 0
    star: bool = False
    keywords: bool = True


@dataclass(slots=True)
class Scope:
    """What the text being written may read and do at this point.

    `frozen` names may be read but not assigned; `maybe` names are unbound on some paths. `weight` is how often this
    point runs per call of its function, `hot` says that the function itself may run often.
    """

    names: dict[str, str] = field(default_factory=dict)
    frozen: frozenset[str] = frozenset()
    maybe: dict[str, str] = field(default_factory=dict)
    callees: tuple[Callee, ...] = ()
    returns: str = "int"
    weight: int = 1
    in_loop: bool = False
    hot: bool = False

    def inside(self, names: Mapping[str, str], loop: int = 1) -> "Scope":
        """Return a copy that also sees `names` and runs `loop` times as often."""
        return replace(self, names={**self.names, **names}, maybe=dict(self.maybe), weight=self.weight * loop)

    def having(self, kind: str, *, assignable: bool) -> list[str]:
        """List the names of a kind in the order of their binding."""
        return [n for n, k in self.names.items() if k == kind and not (assignable and n in self.frozen)]
