"""The command line as a whole: its commands, and how each end becomes a message and an exit code."""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Sequence
from types import FrameType

import typer

import sparksweep
from sparksweep.cli import features, generate, ingest, ledger, predict, report, runs, sweep, upload
from sparksweep.cli.console import say_error
from sparksweep.errors import ConfigError, SparksweepError

__all__ = ["INTERRUPTED", "main"]

INTERRUPTED = 130
STOPPED = "interrupted; the same command goes on with what is done"

app = typer.Typer(
    name="sparksweep",
    help="Tune hyperparameters on Spark. Each command first builds what it needs and does not find in the workspace.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("generate", short_help="Write generated data shaped like TalkingData's.")(generate.generate)
app.command("upload", short_help="Put the zips into a blob container.")(upload.upload)
app.command("ingest", short_help="Read raw zips into typed Parquet tables.")(ingest.ingest)
app.command("features", short_help="Build the train and the test matrix.")(features.features)
app.command("sweep", short_help="Score every candidate, refit the best.")(sweep.sweep)
app.command("predict", short_help="Predict the test rows with a refitted model.")(predict.predict)
app.command("report", short_help="Write a run's page again from its results.")(report.report)
app.add_typer(runs.app, name="runs", short_help="List and show what was run, copy its files.")
app.add_typer(ledger.app, name="ledger", short_help="List, show and prune the fits that are kept.")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sparksweep {sparksweep.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    """Hold the options that stand before a command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows ``sparksweep``; default is the process's own.

    Returns
    -------
    int
        See the package's docstring.
    """
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    logging.getLogger("py4j").setLevel(logging.CRITICAL)  # it tells of interrupts in its own words
    warnings.showwarning = _warn_in_one_line
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        app(args=None if arguments is None else list(arguments), prog_name="sparksweep")
    except SystemExit as end:
        return _exit_code(end)
    except ConfigError as error:
        for problem in error.problems:
            say_error(problem)
        return error.exit_code
    except SparksweepError as error:
        for line in str(error).splitlines():
            say_error(line)
        return error.exit_code
    except KeyboardInterrupt:
        say_error(STOPPED)
        return INTERRUPTED
    return 0


def _exit_code(end: SystemExit) -> int:
    """Return the code typer ends with; it says nothing itself of an interrupt."""
    code = end.code if isinstance(end.code, int) else int(end.code is not None)
    if code == INTERRUPTED:
        say_error(STOPPED)
    return code


def _interrupt(signum: int, frame: FrameType | None) -> None:
    """End on SIGTERM (a scheduler's kill) the way Ctrl-C does."""
    raise KeyboardInterrupt


def _warn_in_one_line(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: object = None,
) -> None:
    """Show warnings of users' concern as a line; Python's form names a source line, which says nothing to them.

    That fits failed, with all their traces, is said by the command itself, in a line.
    """
    if category.__name__ == "FitFailedWarning":
        return
    if not issubclass(category, DeprecationWarning | PendingDeprecationWarning | FutureWarning | ResourceWarning):
        logging.getLogger("sparksweep").warning("%s", " ".join(str(message).split()))
