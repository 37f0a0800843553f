"""What a user sees: lines and errors."""

from __future__ import annotations

import typer

__all__ = ["say", "say_error"]


def say(line: str) -> None:
    """Write one line to standard output, at once, so that a log can be followed."""
    typer.echo(line)


def say_error(line: str) -> None:
    """Write one line to standard error."""
    typer.echo(f"sparksweep: error: {line}", err=True)
