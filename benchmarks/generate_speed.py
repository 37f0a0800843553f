"""How long does a data set of the real size take, and how much memory? Bounds: 60 s and 2 GB on two cores.

Run ``python benchmarks/generate_speed.py``. Needs about 400 MB of disk for the archives, which are deleted at the end.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

from sparksweep.talkingdata.generate import generate

MAX_SECONDS, MAX_GB = 60.0, 2.0


def main() -> int:
    """Generate once and print the figures beside their bounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    started = time.perf_counter()

    def report(line: str) -> None:
        print(f"{time.perf_counter() - started:6.1f} s  {line}", flush=True)

    with tempfile.TemporaryDirectory() as out:
        paths = generate(Path(out), given.scale, given.seed, report)
        seconds = time.perf_counter() - started
        print(f"archives together: {sum(path.stat().st_size for path in paths) / 1e6:.1f} MB")
    usage = resource.getrusage(resource.RUSAGE_SELF)
    # ru_maxrss counts kilobytes on Linux and bytes on macOS.
    peak = usage.ru_maxrss / (1e6 if sys.platform != "darwin" else 1e9)
    ok = seconds <= MAX_SECONDS and peak <= MAX_GB
    print(f"wall {seconds:.1f} s (at most {MAX_SECONDS:.0f}), processor {usage.ru_utime + usage.ru_stime:.1f} s, "
          f"peak {peak:.2f} GB (at most {MAX_GB:.0f}): {'ok' if ok else 'NOT OK'}")  # fmt: skip
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
