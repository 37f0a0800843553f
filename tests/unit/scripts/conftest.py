"""A copy of the project's scripts beside stand-ins for Python, so that each of their paths runs in milliseconds."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
TOOLS = (
    *("bash", "basename", "cat", "cksum", "cp", "dirname", "env", "find", "grep", "head", "mkdir", "rm", "sed"),
    *("sleep", "tail", "tee", "touch", "wc"),
)

# Answers the calls that the scripts make of a Python, writes each to calls.log, and makes "environments" of itself.
PYTHON = r"""#!/usr/bin/env bash
[ "$1" = -c ] || printf '%s %s\n' "${0##*/bin/}" "$*" >>"$STAGE/calls.log"
case "$*" in
    *fcntl*) exec "$REAL_PYTHON" -I -S "$@" ;;
    *ensurepip*) echo @VERSION@; exit @VENV@ ;;
    "-c import pip") exit ;;
    -c*) echo @VERSION@ ;;
    "-m venv --clear "*)
        rm -rf "$4" && mkdir -p "$4/bin" && cp "$0" "$4/bin/python" && echo "VIRTUAL_ENV=$4" >"$4/bin/activate"
        cp "$STAGE/command" "$4/bin/sparksweep"; cp "$STAGE/command" "$4/bin/ruff"
        cp "$STAGE/command" "$4/bin/mypy"; cp "$STAGE/command" "$4/bin/lint-imports" ;;
    "-m pip install"*)
        # Short naps: a signal that comes between two commands would miss the one long sleep that begins after it.
        trap 'trap - INT; kill -INT $$' INT
        cat "$STAGE/pip.says"
        for ((naps = $(cat "$STAGE/pip.takes"); naps > 0; naps--)); do sleep 0.05; done
        exit "$(cat "$STAGE/pip.ends")" ;;
    "-m pytest"*) exit "$(cat "$STAGE/pytest.ends" 2>/dev/null || echo 0)" ;;
esac
"""
# Stands for every command of the environment: ends as COMMAND.ends or COMMAND-FIRST_ARGUMENT.ends says.
COMMAND = r"""#!/usr/bin/env bash
printf '%s %s\n' "${0##*/}" "$*" >>"$STAGE/calls.log"
[ -z "${SPARK_HOME:-}" ] || echo "SPARK_HOME=$SPARK_HOME" >>"$STAGE/calls.log"
exit "$({ cat "$STAGE/${0##*/}-$1.ends" "$STAGE/${0##*/}.ends"; echo 0; } 2>/dev/null | head -n 1)"
"""


@dataclass
class Stage:
    """A project folder and a PATH that holds a few tools and no Python but those a test puts there."""

    folder: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def project(self) -> Path:
        return self.folder / "my prøject"

    def add_python(self, name: str = "python3", version: str = "3.11.2", has_venv: bool = True) -> Path:
        text = PYTHON.replace("@VERSION@", version).replace("@VENV@", "0" if has_venv else "1")
        return self.add_program(name, text)

    def add_program(self, name: str, text: str) -> Path:
        path = self.folder / "bin" / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def set(self, name: str, text: object) -> None:
        """Write what a stand-in reads: ``pip.says``, ``pip.takes`` (naps of 0.05 s), ``COMMAND.ends`` (exit code)."""
        (self.folder / name).write_text(f"{text}".removesuffix("\n") + "\n")

    def environment(self, **more: str) -> dict[str, str]:
        names = {"PATH": str(self.folder / "bin"), "HOME": str(self.folder), "STAGE": str(self.folder)}
        return {**names, "REAL_PYTHON": sys.executable, "LANG": os.environ.get("LANG", "C.UTF-8"), **more}

    def start(self, *command: str, cwd: Path | None = None, **more: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [str(self.project / command[0]), *command[1:]],
            cwd=cwd or self.folder,
            env=self.environment(**more),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def stop(self) -> None:
        """End what is still running of what was started: a test that failed must leave nothing behind."""
        for process in self.started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        self.started.clear()

    def run(self, *command: str, cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a script; ``stdout`` of the result holds both streams."""
        process = self.start(*command, cwd=cwd, **more)
        output, _ = process.communicate(timeout=60)
        return subprocess.CompletedProcess(command, process.returncode, output)

    def calls(self) -> list[str]:
        log = self.folder / "calls.log"
        return log.read_text().splitlines() if log.exists() else []

    def forget_calls(self) -> None:
        (self.folder / "calls.log").unlink(missing_ok=True)


def build_stage(folder: Path) -> Stage:
    """Return a project with no environment yet and no Python on PATH; pip, once there, succeeds at once."""
    stage = Stage(folder)
    (folder / "bin").mkdir()
    for tool in TOOLS:
        (folder / "bin" / tool).symlink_to(shutil.which(tool, path="/usr/bin:/bin:" + os.environ["PATH"]) or tool)
    stage.project.mkdir()
    shutil.copytree(REPOSITORY / "scripts", stage.project / "scripts")
    shutil.copytree(REPOSITORY / "conf", stage.project / "conf", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "setup.py", stage.project)
    stage.add_program("../command", COMMAND)
    stage.set("pip.says", "Collecting pyspark")
    stage.set("pip.takes", 0)
    stage.set("pip.ends", 0)
    return stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = build_stage(tmp_path)
    yield stage
    stage.stop()


@pytest.fixture(scope="session")
def made_stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    stage = build_stage(tmp_path_factory.mktemp("stage"))
    stage.add_python()
    made = stage.run("scripts/check")
    assert made.returncode == 0, made.stdout
    return stage


@pytest.fixture
def ready(made_stage: Stage) -> Iterator[Stage]:
    """A project whose environment is made: shared, and tidied up after each test."""
    made_stage.forget_calls()
    yield made_stage
    made_stage.stop()
    for left in [*made_stage.folder.glob("*.ends"), made_stage.project / "demo"]:
        shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
    commands = made_stage.project / ".venv" / "bin"
    for name in ("sparksweep", "ruff"):
        shutil.copy(made_stage.folder / "command", commands / name)
    shutil.copy(made_stage.folder / "bin" / "python3", commands / "python")


@pytest.fixture(scope="session")
def repository() -> Path:
    return REPOSITORY
