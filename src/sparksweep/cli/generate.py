"""``sparksweep generate``: TalkingData-shaped zips of any size."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sparksweep.cli.console import say

__all__ = ["generate"]


def generate(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for the seven zips; made when absent.")],
    scale: Annotated[float, typer.Option("--scale", help="1 has the row counts of the real files.")] = 0.01,
    seed: Annotated[int, typer.Option("--seed", help="Same seed and same package versions, same bytes.")] = 0,
) -> None:
    """Write generated data: seven zips with the names, columns, types and dirt of TalkingData's."""
    from sparksweep.talkingdata.generate import generate as write_zips

    paths = write_zips(out, scale=scale, seed=seed, on_progress=say)
    say(f"{len(paths)} zips in {out}, {sum(path.stat().st_size for path in paths) / 1e6:.1f} MB")
