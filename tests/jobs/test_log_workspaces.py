"""Somebody's own event logs, told by a schema: what a workspace of them keeps, refuses and rebuilds."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

pytestmark = pytest.mark.spark


LOGS = """
tables:
  shoppers: {columns: {shopper: int64, kind: string}, key: [shopper]}
  others: {columns: {shopper: int64}, key: [shopper]}
  visits: {columns: {shopper: int64, time: timestamp}, references: {shopper: [shoppers, others]}}
rows: {train: shoppers, test: others, key: shopper, target: kind}
feature_sets:
  hour: {kind: share, table: visits, by: hour(time)}
  day: {kind: share, table: visits, by: weekday(time)}
"""


@pytest.fixture(scope="module")
def write_shop(new_source, write_experiment, quick):
    """Return a function that writes a shop's logs, their schema and an experiment, which names both from its folder."""
    shoppers = [f"{number},{'early' if number % 2 else 'late'}" for number in range(40)]
    visits = [f"{number},2026-03-0{1 + number % 5} {7 + 12 * (1 - number % 2):02d}:30:00" for number in range(45)]
    data = {"format": "logs", "schema_file": "shop.yaml"}
    features = {"name": "shop", "sets": ["hour", "day"]}
    search = {**quick, "params": {}, "cv": 2}

    def write(folder: Path) -> Path:
        source = new_source(folder / "raw")
        source.write("shoppers", "\n".join(["shopper,kind", *shoppers]) + "\n")
        source.write("others", "\n".join(["shopper", *map(str, range(40, 45))]) + "\n")
        source.write("visits", "\n".join(["shopper,time", *visits, "99,2026-03-01 00:00:00"]) + "\n")
        (folder / "shop.yaml").write_text(LOGS, encoding="utf-8")
        return write_experiment(folder / "mine.yaml", Path("raw"), data=data, features=features, search=search)

    return write


@pytest.fixture(scope="module")
def shop(command, write_shop, tmp_path_factory):
    """Return the workspace of a shop after one sweep with predictions, and what was said. For reading only."""
    folder = tmp_path_factory.mktemp("shop")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        said = command("sweep", write_shop(folder), "--workspace", "workspace", "--predict").done()
    return folder / "workspace", said


@pytest.fixture
def logs(write_shop, tmp_path, monkeypatch):
    """Return an experiment on the logs of a shop; they, and their schema, may be changed."""
    monkeypatch.chdir(tmp_path)
    return write_shop(tmp_path)


@pytest.fixture
def swept(shop, logs, copy_workspace, tmp_path):
    """Return the shop's workspace as a copy, made of the logs of this test."""
    return copy_workspace(shop[0], tmp_path / "workspace", tmp_path / "raw")


def test_own_event_logs_from_zips_to_predictions(command, shop, logs):
    workspace, said = shop
    assert "features: train has 40 rows x 7 columns, 80 values" in said
    assert "features: test has 5 rows x 7 columns, 10 values" in said
    (run,) = (workspace / "runs").iterdir()
    with open(run / "submission.csv", encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file)
    assert header == ["shopper", "early", "late"]
    # Who comes in the morning is early: 40, 42 and 44 come in the evening.
    assert [float(early) > 0.5 for _, early, _ in lines] == [False, True, False, True, False]
    report = command("ingest", logs, "--workspace", workspace).done()
    assert "warning: visits: 1 rows have a shopper that is not in shoppers or others (1 values, such as 99)" in report


def test_a_changed_schema_makes_anew_what_it_is_about(command, logs, swept, tmp_path):
    assert "anew" not in command("features", logs, "--workspace", swept).done()
    schema = tmp_path / "shop.yaml"
    schema.write_text(LOGS.replace("weekday(time)", "weekday(time) + 1"), encoding="utf-8")
    out = command("features", logs, "--workspace", swept).done()
    assert "features: matrix/shop is made anew: definitions was " in out
    assert "ingest" not in out
    schema.write_text(
        LOGS.replace("weekday(time)", "weekday(time) + 1").replace("[shoppers, others]", "[shoppers]"), encoding="utf-8"
    )
    out = command("features", logs, "--workspace", swept).done()
    assert f"ingest: the data check of {swept}/tables is made again: the schema asks for another\n" in out
    assert "rows read" not in out
    assert "\nwarning: visits: 6 rows have a shopper that is not in shoppers (6 values, such as 40)\n" in out
    assert "features: nothing to do" in out
    assert "data check" not in command("features", logs, "--workspace", swept).done()
    other = LOGS.replace("shopper: int64, time", "shopper: {type: int64, nullable: true}, time")
    schema.write_text(other, encoding="utf-8")
    said = command("ingest", logs, "--workspace", swept).done().splitlines()[0]
    assert said == f"ingest: visits of {swept}/tables is made anew: of another schema"
    schema.write_text(LOGS.replace("time: timestamp", "time: string").replace("(time)", "(to_date(time))"))
    out = command("features", logs, "--workspace", swept).done()
    assert "ingest: visits of " in out


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            "hour(time)",
            "hours(time)",
            "shop.yaml: feature_sets.hour.by: 'hours(time)': 'hours' is no function that is ",
        ),
        ("  day:", "  days:", "features.sets: unknown feature set 'day'; did you mean 'days'? (known: hour, days)"),
    ],
)
def test_a_wrong_schema_is_told_before_anything_is_done(command, logs, tmp_path, old, new, line):
    (tmp_path / "shop.yaml").write_text(LOGS.replace(old, new), encoding="utf-8")
    assert line in command("sweep", logs, "--workspace", tmp_path / "workspace").failed(2)
    assert not (tmp_path / "workspace").exists()


def test_another_schema_of_tables_whose_zips_are_gone_is_refused(command, logs, swept, tmp_path):
    shutil.rmtree(tmp_path / "raw")
    assert "anew" not in command("features", logs, "--workspace", swept).done()
    (tmp_path / "shop.yaml").write_text(LOGS.replace("time: timestamp", "time: string"), encoding="utf-8")
    line = command("features", logs, "--workspace", swept).failed(2)
    assert line.endswith(f"the schema of visits is another than that of the tables in {swept}; put the archives back")


def test_a_test_matrix_that_the_schema_no_longer_has_is_not_predicted(command, logs, swept, tmp_path):
    (tmp_path / "shop.yaml").write_text(LOGS.replace("test: others, ", "").replace(", others]", "]"), encoding="utf-8")
    out = command("sweep", logs, "--workspace", swept, "--predict").done()
    assert "predict: nothing, since " in out


def test_no_schema_file(command, logs, tmp_path):
    absent = ("--set", "data.schema_file=absent.yaml")
    line = command("sweep", logs, "--workspace", tmp_path / "workspace", *absent).failed(2)
    assert line == "data.schema_file: no file 'absent.yaml'; give the path of the YAML that tells the tables"


def test_of_rows_that_are_odd_whoever_sweeps_is_told_too(command, logs, tmp_path):
    told = [
        [
            line
            for line in command(name, logs, "--workspace", tmp_path / name).done().splitlines()
            if "warning: " in line
        ]
        for name in ("ingest", "features")
    ]
    assert told[0] == told[1]
    assert told[0]
    again = command("features", logs, "--workspace", tmp_path / "features", "--set", "features.name=other")
    assert "warning: " not in again.done()


def test_strict_ingest(command, logs, tmp_path):
    experiment, workspace = logs, tmp_path / "workspace"
    ended = command("ingest", experiment, "--workspace", workspace, "--strict")
    assert ended.code == 1
    warnings = [line for line in ended.err.splitlines() if line.startswith("sparksweep: error: ")]
    assert warnings
    assert not (workspace / "tables" / "ingest.json").exists()
    out = command("ingest", experiment, "--workspace", workspace).done()
    told = [line.removeprefix("warning: ") for line in out.splitlines() if line.startswith("warning: ")]
    assert [f"sparksweep: error: {line}" for line in told] == warnings
    again = command("ingest", experiment, "--workspace", workspace, "--strict")
    assert again.code == 1
    assert [line for line in again.err.splitlines() if line.startswith("sparksweep: error: ")] == warnings
