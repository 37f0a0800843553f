"""deploy/cron/run, called as cron calls it: a bare environment and /bin/sh."""

from __future__ import annotations

import re
import shutil
import subprocess
import time

import pytest

pytestmark = pytest.mark.slow  # starts shells

SAYS_FAILED = "best score: -2.3\n2 of 20 fits failed, the first: no; all of them: /w/x/fits.parquet\nreport: x\n"


@pytest.fixture
def project(tmp_path, deploy):
    """A project whose sparksweep notes its arguments, says what says.txt holds and ends as ends.txt says."""
    project = tmp_path / "project"
    shutil.copytree(deploy / "cron", project / "deploy" / "cron")
    command = project / ".venv" / "bin" / "sparksweep"
    command.parent.mkdir(parents=True)
    command.write_text(
        '#!/bin/sh\necho "$PWD: $*" >>calls.txt\ncat says.txt\n'
        'while [ -e hold ]; do sleep 0.02; done\nexit "$(cat ends.txt)"\n'
    )
    command.chmod(0o755)
    (project / "says.txt").write_text("ranking\n")
    (project / "ends.txt").write_text("0\n")
    return project


def cron(project, line, **more):
    """Run a line as cron does."""
    home = project.parent / "home"
    home.mkdir(exist_ok=True)
    names = {"HOME": str(home), "LOGNAME": "dev", "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh", **more}
    return subprocess.run(["/bin/sh", "-c", line], cwd=home, env=names, capture_output=True, text=True, timeout=60)


def run(project, arguments="sweep demo --workspace /data/ws", **more):
    return cron(project, f"{project}/deploy/cron/run {arguments}", **more)


def logs(project):
    return sorted((project.parent / "home/.local/state/sparksweep").glob("*.log"))


def test_success_says_nothing_and_keeps_a_log(project):
    ended = run(project)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert (project / "calls.txt").read_text() == f"{project}: sweep demo --workspace /data/ws\n"
    (log,) = logs(project)
    assert re.fullmatch(r"_data_ws\.\d{8}T\d{6}Z\.log", log.name)
    assert log.read_text() == "ranking\n"


def test_lines_of_the_example_run(project, deploy):
    (line,) = [each for each in (deploy / "cron/crontab.example").read_text().splitlines() if re.match(r"\d", each)]
    fields = line.split(maxsplit=5)
    assert "%" not in fields[5], "cron would end the line there"
    ended = cron(project, fields[5].replace("/opt/sparksweep", str(project)))
    assert ended.returncode == 0, ended.stderr
    assert [each.split(": ")[1] for each in (project / "calls.txt").read_text().splitlines()] == [
        "sweep single_vm --workspace /data/sparksweep",
        "predict single_vm --workspace /data/sparksweep",
    ]


def test_failed_fits_are_a_success_and_counted(project):
    (project / "says.txt").write_text(SAYS_FAILED)
    (project / "ends.txt").write_text("3")
    ended = run(project)
    (log,) = logs(project)
    assert ended.returncode == 0
    assert ended.stderr == (
        "sparksweep: sweep is done, but 2 of 20 fits failed, the first: no; all of them: /w/x/fits.parquet; "
        f"log: {log}\n"
    )


@pytest.mark.parametrize("code", [1, 2, 130])
def test_failure_is_told_with_the_end_of_the_log(project, code):
    (project / "says.txt").write_text("".join(f"line {number}\n" for number in range(100)))
    (project / "ends.txt").write_text(str(code))
    ended = run(project)
    lines = ended.stderr.splitlines()
    assert ended.returncode == code
    assert lines[0] == f"sparksweep: sweep failed with code {code}; log: {logs(project)[0]}, which ends with"
    assert lines[1:] == [f"line {number}" for number in range(80, 100)]


def wait_for(path):
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def first(project):
    """A start that is still at work on /data/ws."""
    (project / "hold").touch()
    names = {"HOME": str(project.parent / "home"), "PATH": "/usr/bin:/bin"}
    process = subprocess.Popen([project / "deploy/cron/run", "sweep", "demo", "-w", "/data/ws"], env=names)
    wait_for(project / "calls.txt")
    yield process
    (project / "hold").unlink(missing_ok=True)
    process.wait(timeout=20)


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("form", ["--workspace /data/ws", "--workspace=/data/ws", "-w /data/ws"])
def test_second_start_on_a_workspace_does_nothing(project, form):
    ended = run(project, f"predict demo {form}")
    assert ended.returncode == 75
    assert ended.stderr == (
        f"sparksweep: another start still works on /data/ws; this one (predict demo {form}) does nothing\n"
    )
    assert len((project / "calls.txt").read_text().splitlines()) == 1


@pytest.mark.usefixtures("first")
@pytest.mark.parametrize("path", ["/data/ws/", "/data//ws", "file:///data/ws", "../../../../../../../../../data/./ws"])
def test_other_ways_to_write_a_path_are_the_same_workspace(project, path):
    assert run(project, f"sweep demo --workspace {path}").returncode == 75
    assert len((project / "calls.txt").read_text().splitlines()) == 1


def test_relative_workspace_is_one_in_the_project(project):
    run(project, "sweep demo --workspace ws")
    run(project, f"sweep demo --workspace {project}/ws")
    assert len({log.name.split(".2")[0] for log in logs(project)}) == 1


def test_slashes_after_a_uri_do_not_matter(project):
    run(project, "sweep demo --workspace hdfs:///sweeps/")
    run(project, "sweep demo --workspace hdfs:///sweeps")
    assert {log.name.split(".2")[0] for log in logs(project)} == {"hdfs____sweeps"}


def test_other_workspace_is_free_meanwhile(project, first):
    (project / "hold").unlink()
    assert run(project, "sweep demo --workspace /data/other").returncode == 0


def test_lock_holds_while_the_command_outlives_its_wrapper(project, first):
    first.kill()
    first.wait(timeout=20)
    assert run(project).returncode == 75


def test_lock_ends_with_its_start(project, first):
    (project / "hold").unlink()
    first.wait(timeout=20)
    assert run(project).returncode == 0


def test_newest_30_logs_are_kept(project):
    folder = project.parent / "home/.local/state/sparksweep"
    folder.mkdir(parents=True)
    for number in range(40):
        (folder / f"_data_ws.20260101T0000{number:02}Z.log").touch()
    for other in ("_other", "_data_ws.v2"):
        (folder / f"{other}.20260101T000000Z.log").touch()
    run(project)
    kept = [log.name for log in logs(project)]
    assert len(kept) == 32
    assert "_data_ws.v2.20260101T000000Z.log" in kept
    assert "_other.20260101T000000Z.log" in kept
    assert "_data_ws.20260101T000010Z.log" not in kept
    assert "_data_ws.20260101T000011Z.log" in kept


def test_no_workspace(project):
    ended = run(project, "sweep demo")
    assert ended.returncode == 2
    assert ended.stderr == "sparksweep: no --workspace given; see deploy/cron/run --help\n"


def test_workspace_of_the_environment(project):
    assert run(project, "sweep demo", SPARKSWEEP_WORKSPACE="/data/mine").returncode == 0
    assert logs(project)[0].name.startswith("_data_mine.")


def test_nothing_installed_yet(project):
    (project / ".venv/bin/sparksweep").unlink()
    ended = run(project)
    assert ended.returncode == 1
    assert ended.stderr == (
        f"sparksweep: nothing is installed in {project}/.venv yet; call {project}/scripts/run once by hand\n"
    )


def test_no_flock(project):
    tools = project.parent / "tools"
    tools.mkdir()
    for name in ("bash", "dirname", "mkdir", "tr"):
        (tools / name).symlink_to(shutil.which(name))
    ended = cron(project, f"{tools}/bash {project}/deploy/cron/run sweep demo -w /data/ws", PATH=str(tools))
    assert ended.returncode == 1
    assert ended.stderr.startswith("sparksweep: there is no flock command")


def test_logs_that_cannot_be_written(project):
    (project.parent / "home").mkdir()
    in_the_way = project.parent / "home" / ".local"
    in_the_way.touch()
    ended = run(project)
    assert ended.returncode == 1
    assert ended.stderr == (
        f"sparksweep: cannot write in {in_the_way}/state/sparksweep; "
        "set SPARKSWEEP_LOGS to a folder that can be written\n"
    )


def test_lock_that_cannot_be_written(project):
    (project.parent / "home/.local/state/sparksweep/_data_ws.lock").mkdir(parents=True)
    ended = run(project)
    assert ended.returncode == 1
    assert "cannot write in" in ended.stderr


def test_help(project):
    assert run(project, "--help").stdout.startswith("usage: deploy/cron/run COMMAND")
