"""What scripts/run, test and check call once their environment is there, and what they end with."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

pytestmark = pytest.mark.slow  # starts shells

SCRIPTS = ["scripts/run", "scripts/test", "scripts/check"]


def add_data(stage, count=7):
    raw = stage.project / "demo" / "raw"
    raw.mkdir(parents=True)
    for number in range(count):
        (raw / f"table{number}.csv.zip").touch()


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_needs_no_python(stage, script):
    ended = stage.run(script, "--help")
    assert ended.returncode == 0
    assert ended.stdout.startswith(f"usage: {script} ")


@pytest.mark.parametrize("script", [*SCRIPTS, "scripts/environment.sh", "scripts/constraints", ".ci/run"])
def test_script_is_good_bash(repository, script):
    subprocess.run(["bash", "-n", repository / script], check=True)
    assert os.access(repository / script, os.X_OK) != script.endswith(".sh")


def test_run_generates_sweeps_predicts(ready):
    ended = ready.run("scripts/run")
    assert ended.returncode == 0
    assert ready.calls() == [
        "sparksweep generate --out demo/raw --scale 0.02 --seed 0",
        "sparksweep sweep conf/experiments/demo.yaml --workspace demo/workspace --predict",
    ]
    shown = "\n$ .venv/bin/sparksweep sweep conf/experiments/demo.yaml --workspace demo/workspace --predict\n"
    assert shown in ended.stdout


def test_run_generates_only_what_is_not_there(ready):
    add_data(ready)
    ready.run("scripts/run")
    assert [call.split()[1] for call in ready.calls()] == ["sweep"]


def test_run_generates_again_after_an_interrupted_generation(ready):
    add_data(ready, count=3)
    ready.run("scripts/run")
    assert ready.calls()[0].startswith("sparksweep generate")


def test_run_takes_the_name_of_an_experiment_and_settings(ready):
    ready.run("scripts/run", "single_vm_small", "--set", "search.param_grid.max_depth=[3, 4]")
    assert ready.calls() == [
        "sparksweep sweep conf/experiments/single_vm_small.yaml --workspace work/single_vm_small --predict "
        "--set search.param_grid.max_depth=[3, 4]"
    ]


def test_run_takes_settings_alone(ready):
    add_data(ready)
    ready.run("scripts/run", "--set", "search.cv=2")
    call = "sparksweep sweep conf/experiments/demo.yaml --workspace demo/workspace --predict --set search.cv=2"
    assert ready.calls() == [call]


def test_run_takes_a_path_relative_to_where_it_is_called(ready):
    mine = ready.folder / "my experiments"
    mine.mkdir()
    (mine / "own.yaml").touch()
    ready.run("scripts/run", "own.yaml", cwd=mine)
    assert ready.calls()[0] == f"sparksweep sweep {mine}/own.yaml --workspace work/own --predict"


def test_run_knows_the_demo_by_its_path_too(ready):
    ready.run("scripts/run", "conf/experiments/demo.yaml", cwd=ready.project)
    assert ready.calls()[0].startswith("sparksweep generate --out demo/raw")
    assert ready.calls()[1] == "sparksweep sweep conf/experiments/demo.yaml --workspace demo/workspace --predict"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["singel_vm"], "no experiment singel_vm: neither a file nor one of demo distributed_sweep "),
        (["--sets", "search.cv=2"], "unknown argument --sets"),
        (["demo", "single_vm"], "unknown argument single_vm"),
        (["--set"], "--set needs KEY=VALUE, not ''"),
        (["--set", "search.cv"], "--set needs KEY=VALUE, not 'search.cv'"),
    ],
)
def test_run_refuses_wrong_arguments_before_it_installs(stage, arguments, line):
    ended = stage.run("scripts/run", *arguments)
    assert ended.returncode == 2
    assert ended.stdout.startswith(f"sparksweep: {line}")
    assert ended.stdout.endswith("; see scripts/run --help\n")
    assert not (stage.project / ".venv").exists()


@pytest.mark.parametrize(
    ("command", "code"),
    [("generate", 1), ("generate", 130), ("sweep", 1), ("sweep", 2), ("sweep", 3), ("sweep", 130)],
)
def test_run_stops_at_a_failure_with_its_code(ready, command, code):
    ready.set(f"sparksweep-{command}.ends", code)
    assert ready.run("scripts/run").returncode == code
    assert ready.calls()[-1].startswith(f"sparksweep {command} ")


CATCHES = 'trap "exit 130" INT\n'


def interrupt(ready, script, program, text, *arguments):
    """Start a script whose environment's `program` runs until it is stopped; press Ctrl-C; return the exit code."""
    begin = '#!/usr/bin/env bash\necho "started" >>"$STAGE/calls.log"\n'
    ready.add_program(f"../{ready.project.name}/.venv/bin/{program}", f"{begin}{text}while :; do sleep 0.05; done\n")
    process = ready.start(script, *arguments)
    deadline = time.monotonic() + 20
    while "started" not in ready.calls() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=20)
    assert ready.calls() == ["started"], "nothing begins after it"
    return process.returncode


@pytest.mark.parametrize("text", [CATCHES, ""], ids=["ends by itself", "dies"])
@pytest.mark.parametrize(("script", "program"), [("scripts/run", "sparksweep"), ("scripts/check", "ruff")])
def test_interrupt_ends_with_130(ready, script, program, text):
    assert interrupt(ready, script, program, text) == 130


ARCHIVE = "python -m sparksweep.class_archive"


def pytest_calls(ready):
    return [call for call in ready.calls() if " -m pytest " in call]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["tests/unit -n 2", "tests --ignore=tests/unit -n 2 --dist loadfile --no-loadscope-reorder"]),
        (["--fast"], ["tests/unit -n 0 -m not slow"]),
        (["--fast", "-k", "a or b"], ["tests/unit -n 0 -m not slow -k a or b"]),
        (["tests/spark", "-x"], ["tests/spark -x"]),
    ],
)
def test_test_calls_pytest(ready, arguments, expected):
    ended = ready.run("scripts/test", *arguments)
    assert ended.returncode == 0
    assert pytest_calls(ready) == [f"python -m pytest {each}" for each in expected]
    assert (ARCHIVE in ready.calls()) == (arguments == [])


def test_test_runs_the_tests_on_spark_although_one_without_failed(ready):
    ready.set("pytest.ends", 1)
    assert ready.run("scripts/test").returncode == 1
    assert len(pytest_calls(ready)) == 2


def test_interrupt_of_the_first_tests_begins_no_second(ready):
    python = ready.project / ".venv" / "bin" / "python"
    catching = python.read_text().replace('"-m pytest"*)', '"-m pytest"*) trap "exit 2" INT; sleep 5;')
    ready.add_program(f"../{ready.project.name}/.venv/bin/python", catching)
    process = ready.start("scripts/test")
    deadline = time.monotonic() + 20
    while not pytest_calls(ready) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    assert len(pytest_calls(ready)) == 1


def test_interrupt_ends_the_archive_too(ready):
    naps = 'trap "echo ended >>$STAGE/calls.log; exit 1" TERM; for nap in {1..400}; do sleep 0.05; done;'
    python = ready.project / ".venv" / "bin" / "python"
    text = python.read_text().replace('"-m pytest"*)', f'"-m sparksweep.class_archive") {naps} ;;\n    "-m pytest"*)')
    slow = text.replace('"-m pytest"*)', '"-m pytest"*) trap "exit 2" INT; sleep 5;')
    ready.add_program(f"../{ready.project.name}/.venv/bin/python", slow)
    process = ready.start("scripts/test")
    deadline = time.monotonic() + 20
    while not (pytest_calls(ready) and ARCHIVE in ready.calls()) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == 130
    while "ended" not in ready.calls() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "ended" in ready.calls()


def test_an_archive_of_java_classes_is_made_once_an_installation(ready):
    archive = ready.project / ".venv/share/sparksweep/classes.jsa"
    archive.parent.mkdir(parents=True)
    archive.touch()
    ready.run("scripts/test")
    assert ARCHIVE not in ready.calls()
    (ready.project / ".venv" / "made-from-local,dev").unlink()
    ready.set("pip.ends", 0)
    ended = ready.run("scripts/test")
    assert ended.returncode == 0, ended.stdout
    assert ARCHIVE in ready.calls(), "its jars may be others now"


CHECKS = ["ruff format --check .", "ruff check .", "mypy ", "lint-imports "]


def test_check_runs_four_tools(ready):
    assert ready.run("scripts/check").returncode == 0
    assert ready.calls() == CHECKS


@pytest.mark.parametrize("tool", ["ruff-format", "ruff-check", "mypy", "lint-imports"])
def test_check_fails_with_any_of_them_and_lets_all_speak(ready, tool):
    ready.set(f"{tool}.ends", 4)
    assert ready.run("scripts/check").returncode == 1
    assert ready.calls() == CHECKS


def test_check_can_mend(ready):
    ready.run("scripts/check", "--fix")
    assert ready.calls()[:2] == ["ruff format .", "ruff check --fix ."]


def test_check_knows_its_arguments(ready):
    ended = ready.run("scripts/check", "--fixx")
    assert ended.returncode == 2
    assert "unknown argument --fixx; see scripts/check --help" in ended.stdout
