"""Compiled tables to users: call them, run them within a limit, ask them with JSON, save and load them."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal

from pointsman.core import BadRequest, NotFound, Unverified
from pointsman.program.artefact import FORMAT, VERSION, decode_program, encode_program
from pointsman.program.convert import bind_inputs, to_json
from pointsman.program.link import Linked, link
from pointsman.program.proof.certificate import Certificate
from pointsman.program.support import OutOfFuel
from pointsman.program.table.machine import Machine, Program
from pointsman.program.verify import verify_program

__all__ = ["DEFAULT_FUEL", "Answer", "Outcome", "Table", "load_table"]

DEFAULT_FUEL: Final = 10_000_000
"""States that one run may visit. Chosen: some seconds of emitted code."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: with a value, with an exception of the program, or out of fuel."""

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
    records: Mapping[str, type] = field(default_factory=dict)
    opaque: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

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
        return link(self.program, metered=True, every_table=True, records=self.records, opaque=self.opaque)

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

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._plain.entry(*args, **kwargs)

    def run(self, *args: Any, fuel: int = DEFAULT_FUEL, **kwargs: Any) -> Outcome:
        """Runs within ``fuel`` visited states. A single operation on huge values is not interrupted."""
        linked = self._metered
        with self._lock:
            meter = linked.meter
            meter[0], meter[1] = 0, fuel
            try:
                value = linked.entry(*args, **kwargs)
            except OutOfFuel:
                return Outcome("out_of_fuel", None, None, meter[0])
            except Exception as exc:  # noqa: BLE001  whatever the program raises is its outcome
                return Outcome("exception", None, exc.with_traceback(None), meter[0])
            return Outcome("value", value, None, meter[0])

    def answer(self, inputs: dict[str, Any] | list[Any], fuel: int = DEFAULT_FUEL) -> Answer:
        """Runs on JSON inputs: an object of parameters, or an array of positional ones.

        Raises BadRequest ``bad_inputs`` when they are not what the parameters are declared as.
        """
        args, kwargs = bind_inputs(self.machine, self.program.records, self._metered.records, inputs)
        outcome = self.run(*args, fuel=fuel, **kwargs)
        if outcome.kind == "value":
            return Answer("value", to_json(outcome.value), outcome.states_visited)
        error = outcome.exception
        shown = (
            {"type": type(error).__name__, "message": str(error)}
            if error is not None
            else {"type": "OutOfFuel", "message": f"no result within {fuel} states"}
        )
        return Answer(outcome.kind, json.dumps({"exception": shown}, ensure_ascii=False), outcome.states_visited)

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "version": VERSION,
            "description": self.description,
            "source": {"file": self.source_file, "sha256": self.source_sha256},
            "program": encode_program(self.program),
            "certificate": self.certificate.to_json(),
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the artefact; it appears whole or not at all."""
        target = Path(path)
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        temporary.write_text(json.dumps(self.to_json(), ensure_ascii=False, separators=(",", ":")) + "\n")
        temporary.replace(target)


def load_table(path: str | os.PathLike[str], *, trust_opaque: bool = False) -> Table:
    """Loads an artefact: checks its form, verifies its IR, and emits code from that.

    Opaque parts need the original module importable by its file's name, and ``trust_opaque``: it is executed. Raises
    NotFound for a missing file, BadRequest ``bad_artefact`` for a wrong one, Unverified ``opaque_untrusted``.
    """
    try:
        data = json.loads(Path(path).read_text())
    except FileNotFoundError as exc:
        raise NotFound(f"no file {str(path)!r}", code="no_artefact") from exc
    except (OSError, ValueError) as exc:
        raise BadRequest(f"{path}: not a route artefact: {exc}", code="bad_artefact") from exc
    return table_from_json(data, str(path), trust_opaque=trust_opaque)


def table_from_json(data: Any, where: str, *, trust_opaque: bool = False) -> Table:
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise BadRequest(f"{where}: not a route artefact: expected format {FORMAT!r}", code="bad_artefact")
    if data.get("version") != VERSION:
        raise BadRequest(
            f"{where}: artefact version {data.get('version')!r}; this Pointsman reads version {VERSION}; "
            "compile it again",
            code="artefact_version",
        )
    program = decode_program(data.get("program"))
    try:
        verify_program(program)
        certificate = Certificate.from_json(data["certificate"])
        source = data["source"]
        table = Table(
            program, certificate, str(source["file"]), str(source["sha256"]), str(data.get("description", ""))
        )
    except (KeyError, TypeError) as exc:
        raise BadRequest(f"{where}: not a route artefact: {exc!r}", code="bad_artefact") from exc
    if program.opaque:
        table.opaque = _originals(table, trust_opaque)
    return table


def _originals(table: Table, trust_opaque: bool) -> dict[str, Any]:
    import importlib

    names = ", ".join(table.program.opaque)
    if not trust_opaque:
        raise Unverified(
            f"{table.name!r} calls original functions ({names}) of {table.source_file!r}; "
            "pass --trust-opaque to import and run them",
            code="opaque_untrusted",
        )
    module_name = Path(table.source_file).stem
    here = str(Path.cwd())
    if here not in sys.path:  # a console script does not have the folder it is run in
        sys.path.append(here)
    try:
        module = importlib.import_module(module_name)
        return {name: getattr(module, name) for name in table.program.opaque}
    except (ImportError, AttributeError) as exc:
        raise Unverified(
            f"original functions ({names}) are not importable from {module_name!r}: {exc}", code="opaque_missing"
        ) from exc
