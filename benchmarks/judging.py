"""Figures beside their bounds; what the benchmarks of the search print and how they end."""

from __future__ import annotations

import math
import platform

import psutil


class Judge:
    """Prints figures beside their bounds, ``ok`` or ``NOT OK``, and remembers whether all hold."""

    def __init__(self) -> None:
        self.ok = True

    def at_most(self, what: str, value: float, bound: float, digits: int = 3) -> None:
        """Print a figure that must not be above its bound."""
        self._print(what, value, f"<= {bound:.{digits}f}", value <= bound, digits)

    def at_least(self, what: str, value: float, bound: float, digits: int = 3) -> None:
        """Print a figure that must not be below its bound."""
        self._print(what, value, f">= {bound:.{digits}f}", value >= bound, digits)

    def show(self, what: str, value: float, unit: str = "") -> None:
        """Print a figure that is not judged."""
        print(f"{what:<64}{value:10.3f}   {unit}".rstrip(), flush=True)

    @property
    def exit_code(self) -> int:
        """0 where all bounds hold, else 1."""
        return 0 if self.ok else 1

    def _print(self, what: str, value: float, bound: str, holds: bool, digits: int) -> None:
        holds = holds and not math.isnan(value)
        self.ok &= holds
        print(f"{what:<64}{value:10.{digits}f}   {bound:<12}{'ok' if holds else 'NOT OK'}", flush=True)


def print_machine() -> None:
    """Print what the figures were measured on, and how busy it was with other things."""
    memory = psutil.virtual_memory().total / 2**30
    load = psutil.getloadavg()[0]
    print(f"{psutil.cpu_count()} processors, {memory:.0f} GiB, {platform.system()} {platform.machine()}, "
          f"Python {platform.python_version()}; load before the start {load:.2f}", flush=True)  # fmt: skip
