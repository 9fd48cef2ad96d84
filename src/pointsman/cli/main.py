"""Entry point: registers the commands, and turns every error into a message and an exit status."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from typing import Annotated

import typer

import pointsman
from pointsman.cli import (
    audit,
    bench,
    calibrate,
    collect,
    compile_,
    coverage,
    diff,
    evaluate,
    explain,
    fit,
    generate,
    prove,
    replay,
    report,
    run,
    serve,
    show,
    solve,
    suggest,
    train,
    write,
)
from pointsman.cli.failures import exit_status, shown
from pointsman.core import PointsmanError

__all__ = ["app", "main"]

_INTERRUPTED = 130

app = typer.Typer(
    name="pointsman",
    help="Answers each request with as little model as it needs. Level one: compile code to routing tables.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("compile")(compile_.compile_command)
app.command("write")(write.write_command)
app.command("run")(run.run_command)
app.command("audit")(audit.audit_command)
app.command("show")(show.show_command)
app.command("prove")(prove.prove_command)
app.command("diff")(diff.diff_command)
app.command("coverage")(coverage.coverage_command)
app.command("generate")(generate.generate_command)
app.command("serve")(serve.serve_command)
app.command("collect")(collect.collect_command)
app.command("solve")(solve.solve_command)
app.command("explain")(explain.explain_command)
app.command("replay")(replay.replay_command)
app.command("report")(report.report_command)
app.command("suggest")(suggest.suggest_command)
app.add_typer(train.app, name="train")
app.add_typer(fit.app, name="fit")
app.add_typer(calibrate.app, name="calibrate")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(bench.app, name="bench")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"pointsman {pointsman.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Answers each request with as little model as it needs. Level one: compile code to routing tables."""


def main() -> None:
    """Runs the command line. Exit status: 0 done, 1 the answer is no (or a defect of ours), 2 wrong use or input."""
    if sys.stdout is None:
        _say("error [no_output]: standard output is closed")
        sys.exit(2)
    status = _status()
    try:
        sys.stdout.flush()
    except OSError as exc:
        status = _io_failed(exc)
    sys.exit(status)


def _status() -> int:
    """Runs the command; the process edge, where every error ends as a message."""
    try:
        app()
    except SystemExit as end:  # how typer ends, also for wrong use and Ctrl-C
        if end.code == _INTERRUPTED:
            _say("interrupted")
        return end.code if isinstance(end.code, int) else 0
    except PointsmanError as error:
        _say(shown(error))
        return exit_status(error)
    except KeyboardInterrupt:
        _say("interrupted")
        return _INTERRUPTED
    except UnicodeEncodeError as exc:
        _say(
            f"error [no_output]: standard output, in {exc.encoding}, cannot hold the result; set PYTHONIOENCODING=utf-8"
        )
        return 2
    except OSError as exc:
        return _io_failed(exc)
    except Exception as exc:  # noqa: BLE001  the process edge
        frame = traceback.extract_tb(exc.__traceback__)[-1]
        _say(
            f"error [internal_error]: {type(exc).__name__}: {exc} at {frame.filename}:{frame.lineno}\n"
            "This is a defect of Pointsman; please report it."
        )
        return 1
    return 0


def _io_failed(exc: OSError) -> int:
    """Says so, unless it is a reader that left, such as head; keeps Python from writing to that again at its end."""
    try:
        sys.stdout.flush()
    except OSError:
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(exc, BrokenPipeError):
        return 1
    named = "" if exc.filename is None else f" {exc.filename!r}"
    _say(f"error [io_error]: cannot read or write{named}: {exc.strerror or exc}")
    return 2


def _say(text: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(text + "\n")
