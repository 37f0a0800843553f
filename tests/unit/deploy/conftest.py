"""A folder of stand-in programs that the wrappers of deploy/ find on PATH, and a way to run a wrapper there."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]


@dataclass
class Node:
    """A machine as a wrapper sees it: ``bin`` comes first on PATH."""

    folder: Path

    def add_program(self, name: str, text: str) -> Path:
        path = self.folder / "bin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/usr/bin/env bash\n{text}\n")
        path.chmod(0o755)
        return path

    def run(
        self, program: Path, *arguments: str, cwd: Path | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        names = {"PATH": f"{self.folder}/bin:{os.environ['PATH']}", "HOME": str(self.folder), "NODE": str(self.folder)}
        return subprocess.run(
            [str(program), *arguments],
            cwd=cwd or self.folder,
            env={**names, **more},
            capture_output=True,
            text=True,
            timeout=60,
        )

    def read(self, name: str) -> str:
        path = self.folder / name
        return path.read_text() if path.exists() else ""


@pytest.fixture
def node(tmp_path: Path) -> Node:
    (tmp_path / "bin").mkdir()
    return Node(tmp_path)


@pytest.fixture(scope="session")
def deploy() -> Path:
    """Return the folder under test."""
    return REPOSITORY / "deploy"
