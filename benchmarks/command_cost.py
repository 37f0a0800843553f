"""Wall time and peak memory of a command with all its processes: python benchmarks/command_cost.py -- COMMAND.

Memory is the sum of PSS (shared pages counted once) over the whole process tree, sampled; where the system has no PSS
it is the sum of RSS, which counts shared pages several times. The tree includes what left it but kept its session.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time

import psutil

INTERVAL = 0.25  # seconds between two samples


def tree_bytes(root: psutil.Process, seen: dict[int, psutil.Process]) -> int:
    """Return the memory of `root` and everything it started, also what has outlived its parent."""
    for parent in [root, *seen.values()]:
        try:
            for child in parent.children(recursive=True):
                seen.setdefault(child.pid, child)
        except psutil.Error:
            continue
    total = 0
    for process in [root, *seen.values()]:
        try:
            memory = process.memory_full_info()
            total += getattr(memory, "pss", 0) or memory.rss
        except psutil.Error:
            continue
    return total


def main() -> int:
    """Run the command and print its cost; the exit code is the command's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", nargs="+")
    command = parser.parse_args().command
    start = time.monotonic()
    peak, seen = 0, {}
    process = subprocess.Popen(command)
    root = psutil.Process(process.pid)
    while process.poll() is None:
        peak = max(peak, tree_bytes(root, seen))
        time.sleep(INTERVAL)
    print(
        f"exit code {process.returncode}; {time.monotonic() - start:.1f} s; peak {peak / 1e9:.2f} GB in all processes"
    )
    return process.returncode


if __name__ == "__main__":
    sys.exit(main())
