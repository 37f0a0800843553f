"""The wheel: what travels in it, and that it works where there is no checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel from a copy, with the environment's own setuptools and no network."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("src", "conf"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    options = ("--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder)
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", *options, source], check=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Return the bin folder of a new environment that has the wheel; what it requires is borrowed from this one."""
    folder = tmp_path_factory.mktemp("elsewhere") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python]
    subprocess.run([*pip, "install", "--quiet", "--no-index", "--no-deps", wheel], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    # Folders named in a .pth file are searched, but .pth files in them are not read: no editable installation of ours.
    borrowed = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "borrowed.pth").write_text("\n".join(borrowed) + "\n")
    return folder / "bin"


def run(installed, folder, *arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SPARK"))}
    return subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def test_every_module_and_data_file_is_in_the_wheel(wheel):
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if ".dist-info/" not in name}
    source = ROOT / "src"
    expected = {
        path.relative_to(source).as_posix()
        for path in (source / "sparksweep").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    experiments = {f"sparksweep/conf/experiments/{path.name}" for path in (ROOT / "conf/experiments").glob("*.yaml")}
    assert len(experiments) >= 5
    assert inside == expected | experiments | {"sparksweep/conf/__init__.py"}
    assert "sparksweep/py.typed" in inside


def test_command_works_outside_the_checkout(installed, tmp_path):
    ended = run(installed, tmp_path, installed / "sparksweep", "--help")
    assert ended.returncode == 0, ended.stderr
    assert "sweep" in ended.stdout


def test_package_comes_from_the_wheel_with_its_experiments(installed, tmp_path):
    code = (
        "import sparksweep, importlib.resources as resources\n"
        "print(sparksweep.__file__)\n"
        "print((resources.files('sparksweep.conf') / 'experiments' / 'demo.yaml').read_text(encoding='utf-8')[:2])\n"
    )
    ended = run(installed, tmp_path, installed / "python", "-c", code)
    assert ended.returncode == 0, ended.stderr
    file, start = ended.stdout.splitlines()
    assert Path(file).is_relative_to(installed.parent)
    assert start == "# "


def test_shipped_experiment_is_found_by_its_name(installed, tmp_path):
    ended = run(installed, tmp_path, installed / "sparksweep", "sweep", "demmo", "--workspace", tmp_path / "workspace")
    assert ended.returncode == 2
    assert "demo" in ended.stderr
