"""How the scripts find a Python and keep .venv; the true installation is what CI itself does."""

from __future__ import annotations

import os
import shutil
import signal
import time

import pytest

pytestmark = pytest.mark.slow

UNREACHABLE = (
    "WARNING: Retrying after connection broken by 'NewConnectionError: Name or service not known'\nERROR: No matching\n"
)


def installs(stage):
    return [call for call in stage.calls() if "-m pip install" in call]


def makes(stage):
    return [call for call in stage.calls() if "-m venv" in call]


def wait_for(stage, call):
    deadline = time.monotonic() + 20
    while not any(call in each for each in stage.calls()):
        assert time.monotonic() < deadline, f"{call} was never called: {stage.calls()}"
        time.sleep(0.01)


def test_first_call_makes_an_environment_of_pinned_packages(stage):
    stage.add_python(version="3.12.1")
    ended = stage.run("scripts/run")
    assert ended.returncode == 0, ended.stdout
    assert makes(stage) == [f"python3 -m venv --clear {stage.project}/.venv"]
    (install,) = installs(stage)
    assert install.endswith("-c conf/constraints/local.txt -e .[local]")
    assert "making .venv with Python 3.12.1" in ended.stdout
    assert "installing sparksweep[local] with the versions of conf/constraints/local.txt" in ended.stdout


def test_second_call_installs_nothing(stage):
    stage.add_python()
    stage.run("scripts/run")
    stage.forget_calls()
    ended = stage.run("scripts/run")
    assert installs(stage) == makes(stage) == []
    assert "install" not in ended.stdout


def test_second_call_needs_no_python_but_its_own(stage):
    stage.add_python()
    stage.run("scripts/run")
    (stage.folder / "bin" / "python3").unlink()
    assert stage.run("scripts/run").returncode == 0


def test_tests_add_the_development_tools(stage):
    stage.add_python()
    stage.run("scripts/run")
    stage.run("scripts/test")
    assert [call.split(" -e ")[1] for call in installs(stage)] == [".[local]", ".[local,dev]"]
    assert len(makes(stage)) == 1


def test_run_is_content_with_what_the_tests_need(stage):
    stage.add_python()
    stage.run("scripts/check")
    stage.run("scripts/run")
    stage.run("scripts/test")
    assert [call.split(" -e ")[1] for call in installs(stage)] == [".[local,dev]"]


@pytest.mark.parametrize("changed", ["setup.py", "conf/constraints/local.txt"])
def test_changed_requirements_are_installed_into_the_same_environment(stage, changed):
    stage.add_python()
    stage.run("scripts/run")
    with (stage.project / changed).open("a") as file:
        file.write("# changed\n")
    stage.run("scripts/run")
    assert len(installs(stage)) == 2
    assert len(makes(stage)) == 1


def test_environment_that_came_with_a_moved_folder_is_made_anew(stage):
    stage.add_python()
    stage.run("scripts/run")
    moved = stage.folder / "moved"
    shutil.move(stage.project, moved)
    shutil.copytree(moved, stage.project, symlinks=True)
    shutil.move(moved, stage.folder / "elsewhere")
    (stage.project / ".venv" / "bin" / "activate").write_text("VIRTUAL_ENV=/elsewhere/.venv\n")
    (stage.project / ".venv" / "made-from-local").write_text("made there\n")
    stage.run("scripts/run")
    assert len(makes(stage)) == 2


def test_environment_whose_python_went_away_is_made_anew(stage):
    stage.add_python()
    stage.run("scripts/run")
    (stage.project / ".venv/bin/python").unlink()
    (stage.project / ".venv/bin/python").symlink_to("/nowhere/python3.11")
    assert stage.run("scripts/run").returncode == 0
    assert len(makes(stage)) == 2


def test_python_in_range_is_found_past_older_and_newer_ones_and_stand_ins_that_fail(stage):
    stage.add_python("python3", "3.9.2")
    stage.add_program("python3.13", "#!/usr/bin/env bash\necho 'pyenv: python3.13: command not found' >&2; exit 127\n")
    stage.add_python("python3.12", "3.12.4")
    ended = stage.run("scripts/run")
    assert "with Python 3.12.4" in ended.stdout


def test_python_of_pyenv_is_found_when_none_is_on_path(stage):
    versions = stage.folder / ".pyenv/versions/3.10.13/bin"
    versions.mkdir(parents=True)
    stage.add_python("python3", "3.10.13").rename(versions / "python3")
    assert "with Python 3.10.13" in stage.run("scripts/run").stdout


def test_python_with_venv_is_preferred_to_one_without(stage):
    stage.add_python("python3", "3.11.2", has_venv=False)
    stage.add_python("python3.10", "3.10.1")
    assert "with Python 3.10.1" in stage.run("scripts/run").stdout


def test_python_of_the_user_wins_and_replaces_an_environment_of_another_version(stage):
    stage.add_python("python3", "3.11.2")
    stage.run("scripts/run")
    mine = stage.add_python("mine", "3.13.0")
    assert "with Python 3.13.0" in stage.run("scripts/run", SPARKSWEEP_PYTHON=str(mine)).stdout
    stage.forget_calls()
    stage.run("scripts/run", SPARKSWEEP_PYTHON=str(mine))
    assert installs(stage) == []


def test_no_python_at_all(stage):
    ended = stage.run("scripts/run")
    assert ended.returncode == 1
    assert ended.stdout == (
        "sparksweep: no Python 3.10 to 3.13 found (there is no python3 on PATH); install one (Debian, Ubuntu: sudo "
        "apt-get install python3 python3-venv) or set SPARKSWEEP_PYTHON=/path/to/another/python\n"
    )


@pytest.mark.parametrize("version", ["3.9.18", "3.14.0", "2.7.18"])
def test_no_python_in_range(stage, version):
    stage.add_python(version=version)
    ended = stage.run("scripts/test")
    assert ended.returncode == 1
    assert ended.stdout.startswith(f"sparksweep: no Python 3.10 to 3.13 found (python3 is {version}); install one")
    assert ended.stdout.count("\n") == 1


def test_python_of_the_user_out_of_range(stage):
    mine = stage.add_python("mine", "3.9.1")
    stage.add_python("python3")
    ended = stage.run("scripts/run", SPARKSWEEP_PYTHON=str(mine))
    assert ended.returncode == 1
    assert f"SPARKSWEEP_PYTHON={mine} is no Python 3.10 to 3.13 ({mine} is 3.9.1); give the path of one" in ended.stdout


def test_python_of_the_user_that_is_not_there(stage):
    stage.add_python("python3")
    ended = stage.run("scripts/run", SPARKSWEEP_PYTHON="/nowhere/python")
    assert ended.returncode == 1
    assert "SPARKSWEEP_PYTHON=/nowhere/python is no Python 3.10 to 3.13 (it does not run)" in ended.stdout


def test_no_venv_module(stage):
    stage.add_python(has_venv=False)
    ended = stage.run("scripts/run")
    assert ended.returncode == 1
    assert ended.stdout == (
        f"sparksweep: Python 3.11.2 ({stage.folder}/bin/python3) has no venv module; install it (Debian, Ubuntu: "
        "sudo apt-get install python3-venv) or set SPARKSWEEP_PYTHON=/path/to/another/python\n"
    )
    assert not (stage.project / ".venv").exists()


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        (UNREACHABLE, "no network: pip cannot reach its package index; connect, or set PIP_INDEX_URL"),
        ("ERROR: [SSL: CERTIFICATE_VERIFY_FAILED] self-signed\n", "set PIP_CERT=/path/to/your/ca.crt"),
        ("ERROR: [Errno 28] No space left on device\n", "no space left for"),
        ("thinking\nERROR: ResolutionImpossible\nbye\n", "pip failed: ERROR: ResolutionImpossible; pip's own words: "),
    ],
)
def test_pip_fails(stage, says, expected):
    stage.add_python()
    stage.set("pip.says", says)
    stage.set("pip.ends", 1)
    ended = stage.run("scripts/run")
    log = stage.project / ".venv-setup" / "install.log"
    assert ended.returncode == 1
    assert expected in ended.stdout.splitlines()[-1]
    assert ended.stdout.splitlines()[-1].endswith(f"pip's own words: {log}")
    assert log.read_text() == says
    assert says.splitlines()[0] not in ended.stdout.splitlines()
    stage.set("pip.ends", 0)
    assert stage.run("scripts/run").returncode == 0, "the same call must work once the cause is gone"


def test_environment_that_works_survives_an_update_without_network(stage):
    stage.add_python()
    stage.run("scripts/run")
    (stage.project / "setup.py").write_text("# changed\n")
    stage.set("pip.says", UNREACHABLE)
    stage.set("pip.ends", 1)
    stage.run("scripts/run")
    stage.run("scripts/run")
    assert len(makes(stage)) == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_interrupted_installation_does_not_count(stage, number):
    stage.add_python()
    stage.set("pip.takes", 600)
    process = stage.start("scripts/run")
    wait_for(stage, "-m pip install")
    os.killpg(process.pid, number)
    output, _ = process.communicate(timeout=20)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert number != signal.SIGINT or "interrupted; the next call starts the installation anew" in output
    stage.set("pip.takes", 0)
    assert stage.run("scripts/run").returncode == 0
    assert len(makes(stage)) == len(installs(stage)) == 2


def test_two_calls_at_once_install_once(stage):
    stage.add_python()
    stage.set("pip.takes", 10)
    first = stage.start("scripts/run")
    wait_for(stage, "-m pip install")
    second = stage.run("scripts/run")
    assert "another call is installing; waiting for it" in second.stdout
    first.communicate(timeout=20)
    assert (first.returncode, second.returncode) == (0, 0)
    assert len(makes(stage)) == len(installs(stage)) == 1


def test_folder_that_cannot_be_written(stage):
    stage.add_python()
    (stage.project / ".venv-setup").write_text("in the way")
    ended = stage.run("scripts/run")
    assert ended.returncode == 1
    assert ended.stdout == (
        f"sparksweep: cannot write in {stage.project}, where .venv is to be made; "
        "make the folder writable or copy the project to one that is\n"
    )


def test_progress_shows_what_takes_time_only(stage):
    stage.add_python()
    stage.set(
        "pip.says",
        "Collecting pyspark\n"
        "  Downloading pyspark-3.5.9.tar.gz (317.3 MB)\n"
        "  Downloading https://x/y/pyarrow-26.0.1-cp311-abi.whl (55 MB)\n"
        "  Downloading six-1.17.0-py2.py3-none-any.whl (11 kB)\n"
        "  Downloading psutil-7.2.2-cp36-abi3.whl (2.0 MB)\n"
        "  Building wheel for pyspark (setup.py): started\nInstalling collected packages: pyspark\n",
    )
    lines = stage.run("scripts/run").stdout.splitlines()
    begin = next(n for n, line in enumerate(lines) if line.startswith("installing"))
    assert lines[begin + 1 : begin + 5] == [
        "  fetching pyspark-3.5.9.tar.gz (317 MB)",
        "  fetching pyarrow-26.0.1 (55 MB)",
        "  building pyspark",
        "  unpacking",
    ]
    assert lines[begin + 5].startswith("installed in ")


def test_other_sparks_and_pythons_are_set_aside(stage):
    stage.add_python()
    ended = stage.run("scripts/run", SPARK_HOME="/opt/spark-2.4")
    assert "setting SPARK_HOME=/opt/spark-2.4 aside: .venv has its own" in ended.stdout
    assert not [call for call in stage.calls() if "SPARK_HOME" in call]
