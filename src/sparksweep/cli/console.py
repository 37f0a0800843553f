"""What a user sees: lines and errors."""

from __future__ import annotations

import os
import sys

import typer

__all__ = ["say", "say_error"]


def say(line: str) -> None:
    """Write one line to standard output, at once, so that a log can be followed.

    When nobody reads it any more (``| head``), the command goes on without a word.
    """
    try:
        typer.echo(line)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say_error(line: str) -> None:
    """Write one line to standard error."""
    typer.echo(f"sparksweep: error: {line}", err=True)
