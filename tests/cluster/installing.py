"""What the tests take from npm and Maven, in pinned versions: fetched once a clone, into a folder that git ignores."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from filelock import FileLock

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / ".cache"
NPM = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
MAVEN = ("mvn", "--batch-mode", "--quiet", "dependency:copy-dependencies", "-DoutputDirectory=jars")
PAUSES = (0, 5, 20)  # seconds before each try: a registry may be away for a moment


def azurite_program() -> Path:
    """Return Azurite's blob service, a program for node."""
    require("node")
    files = [HERE / "npm" / "package.json", HERE / "npm" / "package-lock.json"]
    return install("azurite", files, NPM) / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"


def hadoop_azure_jars() -> list[Path]:
    """Return the jars that pyspark lacks for wasb and abfs."""
    return sorted((install("hadoop-azure", [HERE / "maven" / "pom.xml"], MAVEN) / "jars").glob("*.jar"))


def install(name: str, files: Sequence[Path], command: Sequence[str]) -> Path:
    """Return the folder in which `command` ran beside `files`, as they are now; of several processes one runs it."""
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:8]
    folder = CACHE / f"{name}-{digest}"
    CACHE.mkdir(exist_ok=True)
    with FileLock(CACHE / f"{name}.lock"):
        if not folder.exists():
            require(command[0])
            begun = CACHE / f"{name}.new"
            shutil.rmtree(begun, ignore_errors=True)
            begun.mkdir()
            for file in files:
                shutil.copy(file, begun)
            run(command, begun)
            begun.rename(folder)
    return folder


def run(command: Sequence[str], folder: Path) -> None:
    for pause in PAUSES:
        time.sleep(pause)
        done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode == 0:
            break
    else:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def require(program: str) -> None:
    """Skip the test that needs a program which is not there."""
    if shutil.which(program) is None:
        pytest.skip(f"needs {program}, which is not on PATH (Debian: apt-get install nodejs npm maven)")


if __name__ == "__main__":  # for CI, which has it done while no test needs it yet
    sys.stdout.write(f"{azurite_program()}\n" + "".join(f"{jar}\n" for jar in hadoop_azure_jars()))
