"""The line that deploy/hdinsight/submit runs, and what it makes of the line's end."""

from __future__ import annotations

import shlex

import pytest

pytestmark = pytest.mark.slow  # starts shells

NEEDED = ("demo", "--workspace", "wasbs://c@a/ws", "--environment", "wasbs://c@a/env.tar.gz")
ENDED_WITH_3 = "ERROR Client: Application diagnostics message: User application exited with status 3"


@pytest.fixture
def submit(node, deploy):
    """Run submit with a spark-submit that notes its arguments, says what `says` holds and ends with `ends`."""

    def run(*arguments, ends=0, says="", **more):
        node.add_program(
            "spark-submit",
            'printf "%s\\n" "$@" >"$NODE/line"; echo "python ${PYSPARK_DRIVER_PYTHON:-none}" >"$NODE/python"\n'
            f"echo {shlex.quote(says)} >&2; exit {ends}",
        )
        return node.run(deploy / "hdinsight" / "submit", *arguments, **more)

    return run


def values(node, option):
    line = node.read("line").splitlines()
    return [line[place + 1] for place, each in enumerate(line) if each == option]


def test_line_for_yarn(submit, node, deploy):
    ended = submit(*NEEDED, "--set", "search.cv=3", "--executors", "8", "--executor-memory=8g")
    assert ended.returncode == 0, ended.stderr
    line = node.read("line").splitlines()
    job = line.index(str(deploy.parent / "jobs" / "sweep.py"))
    assert line[job + 1 :] == ["demo", "--workspace", "wasbs://c@a/ws", "--set", "search.cv=3"]
    assert (values(node, "--master"), values(node, "--deploy-mode")) == (["yarn"], ["cluster"])
    assert values(node, "--archives") == ["wasbs://c@a/env.tar.gz#environment"]
    assert (values(node, "--num-executors"), values(node, "--executor-memory")) == (["8"], ["8g"])
    assert {
        "spark.yarn.appMasterEnv.PYSPARK_PYTHON=./environment/bin/python",
        "spark.executorEnv.PYSPARK_PYTHON=./environment/bin/python",
        "spark.dynamicAllocation.enabled=false",
        "spark.yarn.submit.waitAppCompletion=true",
        "spark.yarn.maxAppAttempts=1",
        "spark.executor.memoryOverhead=6g",
        "spark.driver.memoryOverhead=4g",
    } == set(values(node, "--conf"))


def test_driver_python_is_not_handed_on(submit, node):
    submit(*NEEDED, PYSPARK_DRIVER_PYTHON="jupyter")
    assert node.read("python") == "python none\n"
    assert "DRIVER_PYTHON" not in node.read("line")


def test_settings_of_the_user_come_last_and_win(submit, node):
    submit(*NEEDED, "--conf", "spark.task.cpus=2", "--conf", "spark.dynamicAllocation.enabled=true")
    assert values(node, "--conf")[-2:] == ["spark.task.cpus=2", "spark.dynamicAllocation.enabled=true"]


def test_local_experiment_is_sent_along(submit, node):
    mine = node.folder / "my experiment.yaml"
    mine.touch()
    submit(str(mine), *NEEDED[1:])
    assert values(node, "--files") == [str(mine)]
    assert "\nmy experiment.yaml\n--workspace\n" in node.read("line")


@pytest.mark.parametrize(
    "data",
    [
        "data:\n  source: raw\n  format: logs\n  schema_file: {}\n",
        "data: {{source: raw, schema_file: '{}', format: logs}}\n",
        'data: {{schema_file: "{}"}} # schema_file: old.yaml\n',
        "data:\n  # schema_file: old.yaml\n  schema_file: {}   # of the shop\nsearch: {{cv: 3}}",
    ],
)
def test_local_schema_file_is_sent_along(submit, node, data):
    mine, schema = node.folder / "mine.yaml", node.folder / "logs" / "my shop.yaml"
    schema.parent.mkdir()
    schema.touch()
    mine.write_text(data.format("logs/my shop.yaml"))
    ended = submit("mine.yaml", *NEEDED[1:], "--set", "search.cv=3")
    assert ended.returncode == 0, ended.stderr
    assert values(node, "--files") == ["mine.yaml,logs/my shop.yaml"]
    assert values(node, "--set") == ["search.cv=3", "data.schema_file=my shop.yaml"]


def test_schema_file_of_the_command_line_is_sent_along(submit, node):
    (node.folder / "mine.yaml").write_text("data: {schema_file: gone.yaml}\n")
    (node.folder / "shop.yaml").touch()
    submit("mine.yaml", *NEEDED[1:], "--set", f"data.schema_file={node.folder}/shop.yaml")
    assert values(node, "--files") == [f"mine.yaml,{node.folder}/shop.yaml"]
    assert values(node, "--set")[-1] == "data.schema_file=shop.yaml"
    submit("wasbs://c@a/mine.yaml", *NEEDED[1:], "--set=data.schema_file=shop.yaml")
    assert values(node, "--files") == ["shop.yaml"]


def test_schema_file_that_is_a_uri_is_left_to_the_driver(submit, node):
    (node.folder / "mine.yaml").write_text("data: {schema_file: wasbs://c@a/shop.yaml}\n")
    submit("mine.yaml", *NEEDED[1:])
    assert (values(node, "--files"), values(node, "--set")) == (["mine.yaml"], [])


def test_schema_file_that_cannot_be_sent(submit, node):
    (node.folder / "mine.yaml").write_text("data:\n  schema_file: logs/mine.yaml\n")
    ended = submit("mine.yaml", *NEEDED[1:])
    assert ended.returncode == 2
    assert ended.stderr == (
        "sparksweep: no file logs/mine.yaml, which data.schema_file names: give its path from here, or a URI; see "
        "deploy/hdinsight/submit --help\n"
    )
    (node.folder / "logs").mkdir()
    (node.folder / "logs" / "mine.yaml").touch()
    ended = submit("mine.yaml", *NEEDED[1:])
    assert (ended.returncode, node.read("line")) == (2, "")
    assert ended.stderr.startswith("sparksweep: experiment and data.schema_file are both named mine.yaml: rename one; ")


def test_other_master_runs_in_client_mode_on_the_file_itself(submit, node):
    mine = node.folder / "mine.yaml"
    mine.write_text("data: {schema_file: shop.yaml}\n")
    submit(str(mine), *NEEDED[1:], "--master", "local[2]")
    assert (values(node, "--master"), values(node, "--deploy-mode")) == (["local[2]"], ["client"])
    assert values(node, "--files") == []
    assert f"\n{mine}\n--workspace\n" in node.read("line")


def test_dry_run_prints_the_very_line(submit, node):
    shown = submit(*NEEDED, "--conf", "spark.x=a b", "--dry-run")
    assert node.read("line") == ""
    submit(*NEEDED, "--conf", "spark.x=a b")
    assert shlex.split(shown.stdout)[1:] == node.read("line").splitlines()


def test_spark_home_of_the_user_wins(submit, node):
    other = node.folder / "spark" / "bin" / "spark-submit"
    other.parent.mkdir(parents=True)
    node.add_program("spark-submit", "").rename(other)
    assert shlex.split(submit(*NEEDED, "--dry-run", SPARK_HOME=str(node.folder / "spark")).stdout)[0] == str(other)


def test_no_spark_submit(node, deploy):
    ended = node.run(deploy / "hdinsight" / "submit", *NEEDED, PATH="/usr/bin:/bin")
    assert ended.returncode == 1
    assert ended.stderr == "sparksweep: no spark-submit found: run this on a head node, or set SPARK_HOME\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no experiment given"),
        (("demo",), "no --workspace given"),
        (("demo", "--workspace", "w"), "no --environment given; deploy/hdinsight/build-environment makes one"),
        ((*NEEDED, "--job", "train"), "--job is ingest, features, sweep or predict, not train"),
        ((*NEEDED, "--executor", "3"), "unknown option --executor"),
        ((*NEEDED, "--executors"), "--executors needs a value"),
        ((*NEEDED, "other"), "one experiment at a time, not demo and other"),
        (
            (*NEEDED, "--conf", "spark.driver.extraJavaOptions=-Xss1m"),
            "--conf spark.driver.extraJavaOptions=-Xss1m would drop flags the cluster needs; "
            "leave extraJavaOptions alone",
        ),
    ],
)
def test_bad_usage(submit, node, arguments, message):
    ended = submit(*arguments)
    assert ended.returncode == 2
    assert ended.stderr == f"sparksweep: {message}; see deploy/hdinsight/submit --help\n"
    assert node.read("line") == ""


def test_help(submit):
    assert submit("--help").stdout.startswith("usage: deploy/hdinsight/submit EXPERIMENT")


@pytest.mark.parametrize("code", [1, 2, 130])
def test_own_code_of_the_job_comes_through(submit, code):
    says = f"Submitted application application_17_0042\nUser application exited with status {code}"
    ended = submit(*NEEDED, ends=1, says=says)
    assert ended.returncode == code
    assert ended.stderr == (
        f"sparksweep: the job failed (code {code}); the reason stands in the newest run.json in wasbs://c@a/ws/runs, "
        "or at the end of: yarn logs -applicationId application_17_0042\n"
    )
    assert says in ended.stdout


def test_failure_of_spark_itself(submit):
    ended = submit(*NEEDED, ends=1, says="Exception in thread main")
    assert ended.returncode == 1
    assert "yarn logs -applicationId <application id>" in ended.stderr


def test_code_is_not_read_from_a_success(submit):
    assert submit(*NEEDED, ends=0, says=ENDED_WITH_3).returncode == 0


def test_failed_fits_are_counted_from_the_newest_run(submit, node):
    node.add_program(
        "hdfs",
        'case "$*" in\n'
        '  "dfs -ls -C wasbs://c@a/ws/runs") printf "%s\\n" wasbs://c@a/ws/runs/2026-b wasbs://c@a/ws/runs/2026-a ;;\n'
        '  "dfs -cat wasbs://c@a/ws/runs/2026-b/run.json") echo \'{"n_failed": 5}\' ;;\n'
        "  *) exit 1 ;;\nesac",
    )
    ended = submit(*NEEDED, ends=1, says=ENDED_WITH_3)
    assert ended.returncode == 3
    assert ended.stderr == (
        "sparksweep: finished with failed fits: failed_fits=5; which and why: the newest run in wasbs://c@a/ws/runs\n"
    )


def test_failed_fits_that_cannot_be_counted_from_here(submit, node):
    node.add_program("hdfs", "exit 1")
    assert "failed_fits=unknown;" in submit(*NEEDED, ends=1, says=ENDED_WITH_3).stderr
