"""Arguments and options that several commands share, each worded once."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["Experiment", "Overrides", "Rebuild", "Workspace"]

Experiment = Annotated[
    str,
    typer.Argument(metavar="EXPERIMENT", help="Path or URI of a YAML file, or the name of a shipped experiment."),
]
Workspace = Annotated[
    str,
    typer.Option(
        "--workspace",
        "-w",
        envvar="SPARKSWEEP_WORKSPACE",
        metavar="URI",
        help="Folder or URI that holds tables, matrices, ledger and runs; made by the commands that fill it.",
    ),
]
Overrides = Annotated[
    list[str],
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Override a key of the experiment, e.g. search.cv=3; may be repeated."
    ),
]
Rebuild = Annotated[
    bool, typer.Option("--rebuild", help="Make tables and matrices anew, also from another data source.")
]
