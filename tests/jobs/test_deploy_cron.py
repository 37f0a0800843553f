"""A line of a crontab, run as cron runs it, with the real command behind it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(1200)]

CRON = Path(__file__).parents[2] / "deploy" / "cron"


@pytest.fixture
def project(tmp_path, sparksweep_program):
    """A project whose .venv holds this environment's command."""
    project = tmp_path / "project"
    shutil.copytree(CRON, project / "deploy" / "cron")
    command = project / ".venv" / "bin" / "sparksweep"
    command.parent.mkdir(parents=True)
    command.symlink_to(sparksweep_program)
    return project


def test_sweep_with_failed_fits_needs_nothing_of_its_surroundings(project, failing):
    failing.rename(project / "failing.yaml")
    home = project.parent / "home"
    home.mkdir()
    bare = {"HOME": str(home), "LOGNAME": "dev", "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}
    line = f"{project}/deploy/cron/run sweep failing.yaml --workspace {project.parent}/workspace"
    ended = subprocess.run(["/bin/sh", "-c", line], cwd=home, env=bare, capture_output=True, text=True, timeout=600)
    (log,) = home.glob(".local/state/sparksweep/*.log")
    assert ended.returncode == 0, log.read_text()
    assert ended.stdout == ""
    assert re.fullmatch(rf"sparksweep: sweep is done, but 3 of 6 fits failed, .*; log: {log}\n", ended.stderr)
    assert "best score: " in log.read_text()
