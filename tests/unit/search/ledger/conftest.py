"""Ledgers on this machine's disk, and records to fill them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sparksweep.search.ledger import open_ledger


@pytest.fixture
def ledger(tmp_path):
    return open_ledger(tmp_path / "ledger")


@pytest.fixture
def segments(tmp_path):
    return tmp_path / "ledger" / "segments"


@pytest.fixture
def build_record():
    def build(fit_key="0a", status="complete", attempt=1, ended=10.0, **others):
        return {"fit_key": fit_key, "status": status, "attempt": attempt, "started": 1.0, "ended": ended, **others}

    return build


@pytest.fixture
def start():
    """Start a Python program; whatever still runs at the end is killed, stopped ones too."""
    running = []

    def start_program(code, *arguments):
        command = [sys.executable, "-u", "-c", code, *map(str, arguments)]
        running.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
        return running[-1]

    yield start_program
    for process in running:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
