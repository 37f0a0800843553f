"""Say which packages of this Python's environment a constraints file does not pin: ``python pins.py FILE``.

The environment must have been made from that file in one go; what it holds beyond it, or in another version, would come
in whatever version is newest on the day.
"""

from __future__ import annotations

import sys
from importlib.metadata import distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# Ours, and what `python -m venv` puts there itself.
NOT_PINNED = {"sparksweep", "pip", "setuptools", "wheel"}


def read_pins(text: str) -> dict[str, str]:
    """Return the version of each package that a constraints file names for this Python on this system."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    pins = [Requirement(line) for line in lines]
    return {canonicalize_name(pin.name): str(pin.specifier) for pin in pins if not pin.marker or pin.marker.evaluate()}


def find_loose(pins: dict[str, str], installed: dict[str, str]) -> list[str]:
    """Return a line for each installed package that `pins` does not name with its version, sorted."""
    return [
        f"{name}=={version} is installed, the file says {pins.get(name, 'nothing')}"
        for name, version in sorted(installed.items())
        if name not in NOT_PINNED and pins.get(name) != f"=={version}"
    ]


def main(path: str) -> int:
    """Print the loose packages of this environment; 1 if there are any."""
    installed = {canonicalize_name(each.metadata["Name"]): each.version for each in distributions()}
    loose = find_loose(read_pins(Path(path).read_text(encoding="utf-8")), installed)
    sys.stdout.write("".join(f"{line}\n" for line in loose) or f"{path} pins all {len(installed)} packages\n")
    return 1 if loose else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
