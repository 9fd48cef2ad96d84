"""``pointsman compile FILE:FUNCTION -o OUT``."""

from __future__ import annotations

import json
import sys
import tokenize
from pathlib import Path
from typing import Annotated

import typer

from pointsman.cli.failures import exit_status, shown
from pointsman.cli.options import finite_seconds
from pointsman.core import BadRequest, PointsmanError
from pointsman.program import Compiled, CompileOptions, compile_table
from pointsman.program.cache import default_folder
from pointsman.program.frontend import Module

__all__ = ["compile_command", "destination", "read_source", "summary", "told", "warn_untested"]


def read_source(path: Path) -> str:
    """The text of a source file, decoded as Python does. Raises BadRequest ``no_source``."""
    try:
        with tokenize.open(path) as file:
            return file.read()
    except (OSError, UnicodeDecodeError, SyntaxError) as exc:
        raise BadRequest(f"cannot read {str(path)!r}: {exc}", code="no_source") from exc


def compile_command(
    target: Annotated[str, typer.Argument(help="FILE:FUNCTION, or FILE for every function in it.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The artefact, or a folder for several.")] = None,
    opaque: Annotated[
        bool, typer.Option("--opaque", help="Keep pure parts that are refused as calls to the original.")
    ] = False,
    examples: Annotated[int, typer.Option(min=0, help="Generated inputs of the differential test.")] = 60,
    seconds: Annotated[float, typer.Option(callback=finite_seconds, help="Time limit of the differential test.")] = 5.0,
    cache: Annotated[bool, typer.Option(help="Use the compilation cache.")] = True,
    verify: Annotated[bool, typer.Option("--verify", help="Check the IR after every pass.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Compile a Python function to a routing table.

    pointsman compile examples/refund.py:refund -o refund.route.json

    pointsman compile examples/calendar_rules.py -o build/
    """
    file, _, function = target.partition(":")
    path = Path(file)
    source = read_source(path)
    module = Module.parse(source, str(path))
    options = CompileOptions(
        allow_opaque=opaque,
        max_examples=examples,
        seconds=seconds,
        cache_folder=default_folder() if cache else None,
        verify=verify,
    )
    names = [function] if function else list(module.functions)
    if not names:
        raise BadRequest(f"{file!r} defines no function at its top level", code="no_functions")
    destinations = {name: destination(out, name, several=not function) for name in names}
    failures: list[PointsmanError] = []
    for name in names:
        try:
            compiled = compile_table(source, str(path), name, options, module=module)
        except PointsmanError as error:
            if function:
                raise
            failures.append(error)
            sys.stderr.write(shown(error, name) + "\n")
            continue
        compiled.table.save(destinations[name])
        _report(compiled, destinations[name], as_json=as_json)
    if failures:
        raise typer.Exit(min(exit_status(error) for error in failures))


def destination(out: Path | None, name: str, *, several: bool) -> Path:
    """Where an artefact goes; makes the folder that ``-o`` names. Raises BadRequest ``no_folder``, ``cannot_write``."""
    if out is None:
        return Path(f"{name}.route.json")
    if several or out.is_dir() or not (out.suffix or out.exists()):
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as exc:
            raise BadRequest(f"no folder {str(out)!r} for artefacts: {exc.strerror}", code="no_folder") from exc
        return out / f"{name}.route.json"
    if not out.parent.is_dir():
        raise BadRequest(f"no folder {str(out.parent)!r} for the artefact", code="no_folder")
    if out.exists() and not out.is_file():
        raise BadRequest(f"cannot write {str(out)!r}: it is there, and not a regular file", code="cannot_write")
    return out


def summary(compiled: Compiled) -> dict[str, object]:
    """What is said of a compilation with ``--json``."""
    certificate = compiled.table.certificate
    levels = [s.level for s in certificate.states]
    return {
        "states": len(certificate.states),
        "rows": sum(s.rows for s in certificate.states),
        "proved_states": levels.count("proved"),
        "inputs_tested": certificate.inputs_tested,
        "undecided": certificate.undecided,
        "routed_share": round(compiled.routed_share, 3),
        "opaque": {name: refusal.code for name, refusal in compiled.refusals.items()},
        "reused": list(compiled.reused),
        "seconds": {name: round(value, 4) for name, value in compiled.stage_seconds.items()},
    }


def told(compiled: Compiled) -> str:
    """The same for people, in a line."""
    facts = summary(compiled)
    return (
        f"{facts['states']} state(s), {facts['rows']} rows, {facts['proved_states']} state(s) proved, "
        f"equal to CPython on {facts['inputs_tested']} inputs"
    )


def warn_untested(compiled: Compiled) -> None:
    """Says so on stderr where the differential test tested nothing."""
    if compiled.table.certificate.inputs_tested == 0:
        sys.stderr.write("warning: no input could be tested; nothing but the proofs supports this table\n")


def _report(compiled: Compiled, path: Path, *, as_json: bool) -> None:
    name = compiled.table.name
    if as_json:
        print(json.dumps({"function": name, "artefact": str(path), **summary(compiled)}))
        return
    print(f"{name}: {told(compiled)} -> {path}" + (" (from the cache)" if compiled.reused else ""))
    warn_untested(compiled)
    for name, refusal in compiled.refusals.items():
        sys.stderr.write(f"opaque: {name} stays a call to the original ({refusal.code})\n{refusal.message}\n")
