"""What the end-to-end tests share: the command in this process, small data, one finished workspace, copies to spoil."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from filelock import FileLock
from sklearn.datasets import load_iris

from sparksweep import load_run
from sparksweep.cli import main

PATIENCE = 500.0  # seconds after which a process is taken to hang; on a quiet machine none needs 20
GROUPS = (
    "F23-",
    "F24-26",
    "F27-28",
    "F29-32",
    "F33-42",
    "F43+",
    "M22-",
    "M23-26",
    "M27-28",
    "M29-31",
    "M32-38",
    "M39+",
)
ERROR = "sparksweep: error: "


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code, standard output, standard error."""

    code: int
    out: str
    err: str

    def failed(self, code: int) -> str:
        """Check that it ended with `code` and one line on standard error, and return the line's message."""
        assert self.code == code, self
        assert self.err.startswith(ERROR), self.err
        assert self.err.endswith("\n"), self.err
        assert self.err.count("\n") == 1, self.err
        return self.err[len(ERROR) : -1]

    def done(self) -> str:
        """Check that it ended well and return what it said."""
        assert self.code == 0, self
        assert ERROR not in self.err
        return self.out


def _command(*arguments: object) -> Ended:
    out, err = io.StringIO(), io.StringIO()
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([str(argument) for argument in arguments])
    finally:
        signal.signal(signal.SIGTERM, handler)
    return Ended(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def command(spark):
    """Return a function that runs ``sparksweep ARGUMENTS`` here, on the tests' own Spark session."""
    return _command


@pytest.fixture(scope="session")
def cluster_module():
    """Return the module ``standalone_cluster`` beside this file."""
    spec = importlib.util.spec_from_file_location(
        "standalone_cluster", Path(__file__).with_name("standalone_cluster.py")
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def process(cluster_module):
    """Return a function that runs a program with our Java, Spark and Python as a process of its own."""

    def run(*arguments: object) -> Ended:
        running = subprocess.Popen(
            [str(each) for each in arguments],
            env=cluster_module.java_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            out, err = running.communicate(timeout=PATIENCE)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)
            running.wait()
        return Ended(running.returncode, out, err)

    return run


@pytest.fixture(scope="session")
def sparksweep_program():
    """Return the installed ``sparksweep`` beside this Python."""
    found = shutil.which("sparksweep", path=str(Path(sys.executable).parent))
    assert found, "the package is not installed in this environment: pip install -e ."
    return found


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Return a function that has a folder made by the first of pytest's processes to ask for it. For reading only."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own

    def folder_of(name: str, make: Callable[[Path], object]) -> Path:
        folder, done = shared / name, shared / f"{name}.done"
        with FileLock(f"{folder}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a process that failed at it
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return folder_of


@pytest.fixture(scope="session")
def raw(made_once):
    """Seven generated zips: 149 train devices, each group at least 6 times, 224 test devices."""

    def make(folder: Path) -> None:
        _command("generate", "--out", folder / "raw", "--scale", "0.002", "--seed", "1").done()

    return made_once("generated", make) / "raw"


SETTINGS = {
    "data": {"source": ""},
    "features": {"name": "four_sets", "sets": ["brand_model", "weekday", "hour", "weekday_hour"]},
    "search": {
        "estimator": "xgboost.XGBClassifier",
        "params": {"seed": 0, "tree_method": "hist", "n_jobs": 1},
        "param_grid": {
            "objective": ["multi:softprob"],
            "n_estimators": [2, 3],
            "max_depth": [2, 3],
            "subsample": [0.5],
            "learning_rate": [0.1],
        },
        "scoring": "neg_log_loss",
        "cv": 3,
    },
}


@pytest.fixture(scope="session")
def write_experiment():
    """Return a function that writes an experiment file: the small sweep below, its sections changed key by key."""

    def write(path: Path, source: Path, **changes: dict) -> Path:
        settings = json.loads(json.dumps(SETTINGS))
        settings["data"]["source"] = str(source)
        for section, keys in changes.items():
            if keys is None:
                del settings[section]
            else:
                settings[section] = {**settings.get(section, {}), **keys}
        path.write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def quick():
    """Return a search section that costs next to nothing."""
    return {
        "estimator": "sklearn.linear_model.LogisticRegression",
        "params": {"max_iter": 20, "tol": 0.1},
        "param_grid": {"C": [0.01, 1.0]},
        "scoring": "neg_log_loss",
        "cv": 3,
    }


@pytest.fixture
def failing(iris, write_experiment, quick, tmp_path):
    """Return a sweep of a matrix: 3 of its 6 fits fail, since the solver cannot do one of two right values."""
    np.savez(tmp_path / "iris.npz", X=iris[0], y=iris[1])
    search = {**quick, "param_grid": {"dual": [True, False]}}
    return write_experiment(
        tmp_path / "failing.yaml", tmp_path / "iris.npz", data={"format": "npz"}, features=None, search=search
    )


@dataclass(frozen=True)
class Finished:
    """A workspace with tables, matrices and one run; to be read only, unless it is a copy."""

    workspace: Path
    experiment: Path
    raw: Path

    @property
    def runs(self) -> list[Path]:
        """Folders of the runs, oldest first."""
        return sorted(path for path in (self.workspace / "runs").iterdir() if not path.name.startswith("."))

    @property
    def run(self) -> Path:
        """Folder of the first run."""
        return self.runs[0]


@pytest.fixture(scope="session")
def finished(command, write_experiment, made_once):
    """The small source after one ``sparksweep predict``: swept, refitted, predicted. For reading only."""

    def make(folder: Path) -> None:
        _small_source(folder / "raw")
        experiment = write_experiment(folder / "small.yaml", folder / "raw")
        command("predict", experiment, "--workspace", folder / "workspace").done()

    folder = made_once("finished", make)
    return Finished(folder / "workspace", folder / "small.yaml", folder / "raw")


@pytest.fixture(scope="session")
def copy_workspace():
    """Return a function that copies a workspace, as if it were made of another source, which has the same zips."""

    def make(workspace: Path, copy: Path, source: Path) -> Path:
        shutil.copytree(workspace, copy)
        report = copy / "tables" / "ingest.json"
        content = json.loads(report.read_text(encoding="utf-8"))
        report.write_text(json.dumps({**content, "source": str(source)}), encoding="utf-8")
        return copy

    return make


@pytest.fixture
def copied(finished, tmp_path):
    """Return the finished workspace as a copy that may be changed."""
    shutil.copytree(finished.workspace, tmp_path / "workspace")
    return Finished(tmp_path / "workspace", finished.experiment, finished.raw)


@pytest.fixture
def prepared(finished, source, copy_workspace, write_experiment, tmp_path):
    """Return the finished workspace as a copy, made of `source`, which may be changed too."""
    workspace = copy_workspace(finished.workspace, tmp_path / "workspace", source.folder)
    return Finished(workspace, write_experiment(tmp_path / "small.yaml", source.folder), source.folder)


@pytest.fixture(scope="session")
def iris():
    X, y = load_iris(return_X_y=True)
    keep = np.random.default_rng(0).permutation(len(y))[:90]
    return X[keep].astype(np.float32), np.array(["setosa", "versicolor", "virginica"])[y[keep]]


LINEAR_SEARCH = {
    "estimator": "sklearn.linear_model.LogisticRegression",
    "params": {"max_iter": 1000},
    "param_grid": {"C": [0.1, 1.0]},
    "scoring": "accuracy",
    "cv": 3,
}


@pytest.fixture
def sweep_file(command, write_experiment, tmp_path):
    """Return a function that sweeps a file that is a matrix already; gives what was said and the run."""

    def sweep(path: Path, form: str, code: int = 0, search: dict | None = None, **data: str):
        settings = {**LINEAR_SEARCH, **(search or {})}
        # A section of the small sweep must not shine through: its params and grid are xgboost's.
        experiment = write_experiment(
            tmp_path / "mine.yaml", path, data={"format": form, **data}, features=None, search=settings
        )
        ended = command("sweep", experiment, "--workspace", tmp_path / "workspace")
        assert ended.code == code, ended
        newest = max((tmp_path / "workspace" / "runs").iterdir())
        return ended, load_run(str(newest))

    return sweep


@pytest.fixture(scope="session")
def files():
    """Return a function that lists every file below a folder; Spark's own checksums (``.part-*.crc``) left out."""

    def walk(folder: Path) -> set[str]:
        return {
            path.relative_to(folder).as_posix()
            for path in folder.rglob("*")
            if path.is_file() and not (path.name.startswith(".") and path.name.endswith(".crc"))
        }

    return walk


@pytest.fixture(scope="session")
def contents():
    """Return a function that gives what is in every file below a folder."""

    def walk(folder: Path) -> dict[str, bytes]:
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    return walk


@pytest.fixture(scope="session")
def leftovers():
    """Return a function that lists what is hidden below a folder: temporary names that were never given up."""

    def walk(folder: Path) -> list[str]:
        hidden = [path.relative_to(folder) for path in folder.rglob(".*") if not path.name.endswith(".crc")]
        return sorted(map(str, hidden))

    return walk


HEADERS = {
    "gender_age_train": "device_id,gender,age,group",
    "gender_age_test": "device_id",
    "phone_brand_device_model": "device_id,phone_brand,device_model",
    "events": "event_id,device_id,timestamp,longitude,latitude",
    "app_events": "event_id,app_id,is_installed,is_active",
    "app_labels": "app_id,label_id",
    "label_categories": "label_id,category",
}


def _small_tables() -> dict[str, list[str]]:
    """Return the rows of seven small tables: 48 train devices, 4 of each group, 6 test devices, an event each."""
    train = [(100 + number, GROUPS[number % 12]) for number in range(48)]
    ids = [device for device, _ in train] + list(range(900, 906))
    return {
        "gender_age_train": [f"{device},{group[0]},30,{group}" for device, group in train],
        "gender_age_test": [str(device) for device in range(900, 906)],
        "phone_brand_device_model": [f"{device},小米,MI {device % 5}" for device in ids],
        "events": [f"{n},{device},2016-05-0{1 + n % 7} 1{n % 10}:00:00,0.00,0.00" for n, device in enumerate(ids, 1)],
        "app_events": [f"{n},{7 + n % 3},1,{n % 2}" for n in range(1, len(ids) + 1)],
        "app_labels": ["7,1", "8,2", "9,1"],
        "label_categories": ["1,game-poker", "2,unknown"],
    }


@dataclass(frozen=True)
class Source:
    """A folder of seven small zips that a test may spoil."""

    folder: Path

    def archive(self, name: str) -> Path:
        """Return the path of a table's zip."""
        return self.folder / f"{name}.csv.zip"

    def write(self, name: str, text: str | bytes, member: str | None = None) -> Path:
        """Replace a table's zip by one that holds `text`."""
        path = self.archive(name)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(member or f"{name}.csv", text)
        return path

    def text(self, name: str) -> str:
        """Return a table's CSV."""
        with zipfile.ZipFile(self.archive(name)) as archive:
            return archive.read(f"{name}.csv").decode("utf-8")

    def spoil(self, name: str, old: str, new: str) -> Path:
        """Replace `old` by `new` in a table's CSV, once."""
        text = self.text(name)
        assert old in text
        return self.write(name, text.replace(old, new, 1))


def _new_source(folder: Path) -> Source:
    folder.mkdir()
    return Source(folder)


@pytest.fixture(scope="session")
def new_source():
    """Return a function that makes a folder for zips, none in it yet."""
    return _new_source


def _small_source(folder: Path) -> Source:
    made = _new_source(folder)
    for name, rows in _small_tables().items():
        made.write(name, "\n".join([HEADERS[name], *rows]) + "\n")
    return made


@pytest.fixture
def source(tmp_path):
    """Return seven small and right zips in ``tmp_path / "raw"``."""
    return _small_source(tmp_path / "raw")


@pytest.fixture
def start_process():
    """Return a function that starts a program in a session of its own; all of it is ended with the test."""
    started: list[subprocess.Popen] = []

    def start(*arguments: object, **options: object) -> subprocess.Popen:
        made = subprocess.Popen([str(each) for each in arguments], start_new_session=True, **options)
        started.append(made)
        return made

    yield start
    for made in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(made.pid, signal.SIGKILL)
        made.wait()
