"""Entry point: registers the commands, and turns every error that is ours into a message and an exit status."""

from __future__ import annotations

import sys

import typer

from pointsman.cli import bench, compile_, coverage, diff, prove, run, serve, show
from pointsman.core import InternalError, PointsmanError, Unverified

__all__ = ["app", "main"]

app = typer.Typer(
    name="pointsman",
    help="Answers each request with as little model as it needs. Level one: compile code to routing tables.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("compile")(compile_.compile_command)
app.command("run")(run.run_command)
app.command("show")(show.show_command)
app.command("prove")(prove.prove_command)
app.command("diff")(diff.diff_command)
app.command("coverage")(coverage.coverage_command)
app.command("serve")(serve.serve_command)
app.add_typer(bench.app, name="bench", help="Measurements; each ends in one JSON line.")


def main() -> None:
    """Runs the command line. Exit status: 0 done, 1 the answer is no (or a defect of ours), 2 wrong use or input."""
    try:
        app()
    except PointsmanError as error:
        label = "" if error.code in error.message else f" [{error.code}]"
        sys.stderr.write(f"error{label}: {error.message}\n")
        sys.exit(1 if isinstance(error, Unverified | InternalError) else 2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
