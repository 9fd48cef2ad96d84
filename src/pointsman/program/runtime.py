"""Compiled tables to users: call them, run them within a limit, ask them with JSON, save and load them."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import GeneratorType
from typing import TYPE_CHECKING, Any, Final, Literal

from pointsman.core import BadRequest, Cost, InternalError, NotFound, OverBudget, Unsupported, Unverified
from pointsman.core.asking import Question
from pointsman.program.artefact import FORMAT, VERSION, check_header, decode_program, encode_program, parse_artefact
from pointsman.program.convert import bind_inputs
from pointsman.program.judgement import Unanswered
from pointsman.program.link import Linked, link
from pointsman.program.originals import is_emitted, load_originals, raised_by_program
from pointsman.program.proof.certificate import Certificate
from pointsman.program.results import MAX_ITEMS, drawn, exception_json, exception_text, to_json
from pointsman.program.support import OutOfFuel
from pointsman.program.table.asking import machine_asks, program_asks
from pointsman.program.table.machine import Machine, Program
from pointsman.program.verify import verify_program

if TYPE_CHECKING:
    from pointsman.program.ladder.stored import StoredLadder

__all__ = ["DEFAULT_FUEL", "Answer", "Outcome", "Table", "load_table"]

DEFAULT_FUEL: Final = 10_000_000
"""States that one run may visit. Chosen: some seconds of emitted code."""

_NO_LIMIT: Final = 2**62
"""The limit between runs: what is drawn from a result then is the caller's business."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: with a value, with an exception of the program (of any class), or out of fuel.

    A generator of the program is drawn within the run, up to 100,000 items; ``value`` is an iterator over them then.
    """

    kind: Literal["value", "exception", "out_of_fuel"]
    value: Any
    exception: BaseException | None
    states_visited: int


@dataclass(frozen=True, slots=True)
class Answer:
    """An outcome as JSON text."""

    kind: Literal["value", "exception", "out_of_fuel"]
    json_text: str
    states_visited: int
    cost: Cost = field(default_factory=Cost.zero)  # of what was asked, where the caller knows


@dataclass
class Table:
    """A compiled function with its certificate.

    Call it like the function. ``run`` counts states, stops when fuel ends, and gives exceptions as outcomes.
    """

    program: Program
    certificate: Certificate
    source_file: str = ""
    source_sha256: str = ""
    description: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)  # what each one is, where its docstring says so
    records: Mapping[str, type] = field(default_factory=dict)
    opaque: Mapping[str, Any] = field(default_factory=dict)
    ladder: StoredLadder | None = None  # who may answer its questions, where it was calibrated

    def __post_init__(self) -> None:
        # reentrant: drawing an argument's items may run this very table
        self._lock = threading.RLock()

    @property
    def name(self) -> str:
        return self.program.entry

    @property
    def machine(self) -> Machine:
        """The entry function's machine. Raises Unverified when all of it is an opaque call."""
        if self.program.entry not in self.program.machines:
            raise Unverified(f"{self.name!r} is an opaque call as a whole: it has no table", code="no_table")
        return self.program.machines[self.program.entry]

    @cached_property
    def _plain(self) -> Linked:
        return link(self.program, records=self.records, opaque=self.opaque)

    @cached_property
    def _metered(self) -> Linked:
        # the tables that are shown, so that the states counted are theirs
        linked = link(self.program, metered=True, every_table=True, records=self.records, opaque=self.opaque)
        linked.meter[1] = _NO_LIMIT
        return linked

    @property
    def asks(self) -> bool:
        """Whether the program asks questions about texts, so that it needs somebody who answers."""
        return any(machine_asks(machine) for machine in self.program.machines.values())

    @cached_property
    def questions(self) -> tuple[Question, ...]:
        """The questions that the program asks, in the order in which its states have them."""
        return tuple(dict.fromkeys(Question(kind, *attrs) for kind, attrs, _ in program_asks(self.program)))  # type: ignore[arg-type]

    def prepare(self) -> None:
        """Emits and links now what the first answer would otherwise wait for."""
        _ = self._metered

    @property
    def function(self) -> Callable[..., Any]:
        """The emitted Python function, without a limit."""
        return self._plain.entry

    @property
    def source(self) -> str:
        """The emitted Python."""
        return self._plain.source

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self._plain.entry(*args, **kwargs)

    def run(self, /, *args: Any, fuel: int | None = None, **kwargs: Any) -> Outcome:
        """Runs within ``fuel`` visited states (None: ``DEFAULT_FUEL``).

        A single operation on huge values is not interrupted. Iterators inside the value, or made by the library (such
        as ``map``), are not drawn here: what is drawn from them later has no limit.

        Raises BadRequest ``fuel_ambiguous`` where ``fuel`` is given and a parameter of the program has that name.
        """
        if fuel is not None and self._takes("fuel"):
            raise BadRequest(
                f"{self.name!r} has a parameter 'fuel' of its own, and run() takes fuel= for the limit; "
                "give it by position, or in the inputs of answer()",
                code="fuel_ambiguous",
                param="fuel",
            )
        return self.outcome(args, kwargs, fuel=DEFAULT_FUEL if fuel is None else fuel)

    def _takes(self, name: str) -> bool:
        machine = self.program.machines.get(self.name)
        return machine is not None and any(
            p.name == name and p.kind in {"plain", "keyword_only"} for p in machine.params
        )

    def native(self) -> Callable[..., Any]:
        """The program as machine code; what that cannot answer (an int beyond 64 bits, say) runs the emitted Python.

        It has no limit, like a plain call. Raises Unsupported ``not_native``, which says what does not fit or what to
        install.
        """
        from pointsman.program.native import NotNative, native_function

        found = native_function(self.program, self.function)
        if isinstance(found, NotNative):
            raise Unsupported(f"{self.machine.qualname}: {found}", code="not_native")
        return found.entry

    def outcome(
        self,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        *,
        fuel: int = DEFAULT_FUEL,
        finish: Callable[[Any], Any] | None = None,
    ) -> Outcome:
        """``run`` for arguments of any name. ``finish`` makes the value, within the limit, of what the call gives."""
        finish = finish or _drawn
        linked = self._metered
        with self._lock:
            meter = linked.meter
            outer = meter[:]  # of the run that this one is part of, if any
            meter[0], meter[1] = 0, fuel
            try:
                value = finish(linked.entry(*args, **kwargs))
            except OutOfFuel:
                return Outcome("out_of_fuel", None, None, meter[0])
            except Unanswered as exc:
                raise exc.error from exc
            except BaseException as exc:  # whatever the program raises is its outcome
                if not raised_by_program(exc, has_opaque_parts=bool(self.program.opaque)):
                    raise  # Ctrl-C, or a signal's handler
                return Outcome("exception", None, exc.with_traceback(None), meter[0])
            else:
                return Outcome("value", value, None, meter[0])
            finally:
                meter[0], meter[1] = outer

    def answer(self, /, inputs: dict[str, Any] | list[Any], fuel: int = DEFAULT_FUEL) -> Answer:
        """Runs on JSON inputs: an object of parameters, or an array of positional ones.

        Drawing a generator and writing the result count as part of the run. A result that JSON cannot hold is an
        exception of type ``Unserialisable``.

        Raises BadRequest ``bad_inputs`` when they are not what the parameters are declared as.
        """
        args, kwargs = bind_inputs(self.machine, self.program.records, self._metered.records, inputs)
        outcome = self.outcome(args, kwargs, fuel=fuel, finish=to_json)
        if outcome.kind == "value":
            return Answer("value", outcome.value, outcome.states_visited)
        error = outcome.exception
        text = (
            exception_json("OutOfFuel", f"no result within {fuel} states")
            if error is None
            else exception_json(type(error).__name__, exception_text(error))
        )
        return Answer(outcome.kind, text, outcome.states_visited)

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "version": VERSION,
            "description": self.description,
            **({"parameters": dict(self.parameters)} if self.parameters else {}),
            "source": {"file": self.source_file, "sha256": self.source_sha256},
            "program": encode_program(self.program),
            "certificate": self.certificate.to_json(),
            **({} if self.ladder is None else {"ladder": self.ladder.to_json()}),
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the artefact; it appears whole or not at all. Raises BadRequest ``cannot_write``."""
        target = Path(path)
        if target.exists() and not target.is_file():  # a device must not be replaced by a file
            raise BadRequest(f"cannot write {str(target)!r}: it is there, and not a regular file", code="cannot_write")
        text = json.dumps(self.to_json(), ensure_ascii=False, separators=(",", ":")) + "\n"
        try:
            data = text.encode()
        except UnicodeEncodeError:  # constants with lone surrogates: escaped, as UTF-8 has no form for them
            data = (json.dumps(self.to_json(), separators=(",", ":")) + "\n").encode()
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            temporary.write_bytes(data)
            temporary.replace(target)
        except OSError as exc:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise BadRequest(f"cannot write {str(target)!r}: {exc.strerror}", code="cannot_write") from exc


def _drawn(value: Any) -> Any:
    """The program's own generators are drawn: left alone, they would go on past the run and its limit."""
    if not isinstance(value, GeneratorType) or not is_emitted(value.gi_code):
        return value
    items = drawn(value)
    if items is None:
        raise OverBudget(f"the generator gave more than {MAX_ITEMS:,} items", code="too_many_items")
    return iter(items)


def load_table(path: str | os.PathLike[str], *, trust_opaque: bool = False) -> Table:
    """Loads an artefact: checks its form, verifies its IR, and emits code from that.

    Opaque parts need the original module importable by its file's name, unchanged, and ``trust_opaque``: it is
    executed. Raises NotFound for a missing file, BadRequest ``bad_artefact`` or ``invalid_ir`` for a wrong one,
    and Unverified ``opaque_untrusted`` or ``opaque_changed``.
    """
    try:
        data = parse_artefact(Path(path).read_text(encoding="utf-8"), str(path))
    except FileNotFoundError as exc:
        raise NotFound(f"no file {str(path)!r}", code="no_artefact") from exc
    except (OSError, ValueError) as exc:
        raise BadRequest(f"{path}: not a route artefact: {exc}", code="bad_artefact") from exc
    try:
        return table_from_json(data, str(path), trust_opaque=trust_opaque)
    except RecursionError as exc:
        raise BadRequest(f"{path}: not a route artefact: nested too deeply", code="bad_artefact") from exc
    except InternalError as exc:  # the verifier's word for a table that the compiler would not make
        raise BadRequest(f"{path}: {exc.message}", code=exc.code) from exc


def table_from_json(data: Any, where: str, *, trust_opaque: bool = False) -> Table:
    check_header(data, where)
    program = decode_program(data.get("program"))
    try:
        verify_program(program)
        certificate = Certificate.from_json(data["certificate"])
        source = data["source"]
        table = Table(
            program,
            certificate,
            str(source["file"]),
            str(source["sha256"]),
            str(data.get("description", "")),
            {str(name): str(words) for name, words in data.get("parameters", {}).items()},
        )
    except (KeyError, TypeError, AttributeError) as exc:
        raise BadRequest(f"{where}: not a route artefact: {exc!r}", code="bad_artefact") from exc
    if "ladder" in data:
        from pointsman.program.ladder.stored import StoredLadder  # numpy: only where there is one

        table.ladder = StoredLadder.from_json(data["ladder"])
    if program.opaque:
        table.opaque = load_originals(table.name, program.opaque, table.source_file, table.source_sha256, trust_opaque)
    return table
