"""How long does a sweep take to end when it is told to? Seconds from Ctrl-C or SIGTERM to the end of the last process.

Run ``python benchmarks/interrupt_time.py``: it starts ``sparksweep sweep`` on a matrix of random numbers with fits that
would take hours, waits until two of them are being trained, sends the signal to all processes, as a terminal does, or
to the command alone, as a scheduler does, and looks what is left.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import yaml
from judging import Judge, print_machine

BOUND = 5.0
PATIENCE = 120.0
EXIT_CODE = 130
EXPERIMENT = {
    "data": {"source": "x.npz", "format": "npz"},
    "search": {
        "estimator": "xgboost.XGBClassifier",
        "param_grid": {"n_estimators": [10_000_000], "max_depth": [2, 3]},
        "scoring": "neg_log_loss",
        "cv": 2,
    },
}


def training(process: psutil.Process) -> list[psutil.Process]:
    """Return the command's processes once two of them have loaded xgboost and use a processor each."""
    started = process.children(recursive=True)
    busy = []
    for each in started:
        try:
            if "libxgboost" in Path(f"/proc/{each.pid}/maps").read_text(encoding="utf-8", errors="replace"):
                busy.append(each)
        except OSError:
            continue
    return started if len(busy) >= 2 and all(each.cpu_times().user > 1.0 for each in busy[-2:]) else []


def measure(folder: Path, number: signal.Signals, to_all: bool, judge: Judge) -> None:
    """Start a sweep, end it, and print how long that took and what it said."""
    program = Path(sys.executable).with_name("sparksweep")
    command = [str(program), "sweep", "long.yaml", "--workspace", f"workspace-{number.name}"]
    running = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    end = time.monotonic() + PATIENCE
    while not (started := training(psutil.Process(running.pid))):
        if time.monotonic() > end or running.poll() is not None:
            raise SystemExit(f"no fit was begun: {running.communicate()}")
        time.sleep(0.2)
    begin = time.monotonic()
    os.killpg(running.pid, number) if to_all else os.kill(running.pid, number)
    _, err = running.communicate(timeout=PATIENCE)
    judge.at_most(f"{number.name} to the command's end, s", time.monotonic() - begin, BOUND)
    psutil.wait_procs(started, timeout=PATIENCE)
    judge.at_most(f"{number.name} to the end of its last process, s", time.monotonic() - begin, BOUND)
    judge.at_least(f"{number.name} exit code", running.returncode, EXIT_CODE, digits=0)
    print(f"  {err.strip()}")


def main() -> int:
    """Measure both signals."""
    print_machine()
    judge = Judge()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        X = np.random.default_rng(0).random((2000, 20), dtype=np.float32)
        np.savez(folder / "x.npz", X=X, y=np.where(X[:, 0] > X[:, 1], "a", "b"))
        (folder / "long.yaml").write_text(yaml.safe_dump(EXPERIMENT), encoding="utf-8")
        measure(folder, signal.SIGINT, True, judge)
        measure(folder, signal.SIGTERM, False, judge)
    return judge.exit_code


if __name__ == "__main__":
    sys.exit(main())
