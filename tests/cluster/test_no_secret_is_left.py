"""A whole command with marked secrets: they are in nothing that it leaves, shows, or lets its workers see."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import threading
import zipfile
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from tests.cluster.azurite import running_azurite
from tests.spark.python_workers import is_daemon

ROOT = Path(__file__).parents[2]
PATIENCE = 300.0  # seconds
ACCOUNT = "markedaccount"
KEY = base64.b64encode(b"a marked key that nobody else has, for a whole command").decode()
WRONG = base64.b64encode(b"a marked key that is wrong").decode()
CLIENT_SECRET = "marked-client-secret"
EXPERIMENT = """\
data: {{source: {source}, format: logs, schema_file: {schema}}}
features: {{sets: [hour]}}
search: {{estimator: sklearn.linear_model.LogisticRegression, param_grid: {{C: [1]}}}}
"""
SCHEMA = """\
tables:
  customers: {columns: {customer_id: int64, churned: string}, key: [customer_id]}
  visits: {columns: {visit_id: int32, customer_id: int64, time: timestamp}, key: [visit_id]}
rows: {train: customers, key: customer_id, target: churned}
feature_sets:
  hour: {kind: share, table: visits, by: hour(time)}
"""
TEXTS = {
    "customers": "customer_id,churned\n1,yes\n2,no\n",
    "visits": "visit_id,customer_id,time\n1,1,2016-05-01 00:55:25\n2,2,2016-05-02 11:00:00\n",
}


@pytest.fixture(scope="module")
def azurite(tmp_path_factory):
    """An Azurite whose one account has the marked key."""
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AZURITE_ACCOUNTS", f"{ACCOUNT}:{KEY}")
            running = stack.enter_context(running_azurite(tmp_path_factory.mktemp("azurite") / "azurite.log"))
        yield replace(running, account=ACCOUNT, key=KEY)


@pytest.fixture
def experiment(azurite, container, tmp_path):
    for name, text in TEXTS.items():
        with zipfile.ZipFile(tmp_path / f"{name}.csv.zip", "w") as archive:
            archive.writestr(f"{name}.csv", text)
        container.upload_blob(f"raw/{name}.csv.zip", (tmp_path / f"{name}.csv.zip").read_bytes())
    (tmp_path / "shop.yaml").write_text(SCHEMA)
    source = f"{azurite.endpoint}/{container.container_name}/raw"
    (tmp_path / "experiment.yaml").write_text(EXPERIMENT.format(source=source, schema=tmp_path / "shop.yaml"))
    return tmp_path / "experiment.yaml"


@pytest.fixture
def ingest(experiment, start_process, tmp_path):
    """Return a function that runs the command as its user would, and what its processes showed meanwhile."""
    left = tmp_path / "left"
    (left / "events").mkdir(parents=True)
    (left / "scratch").mkdir()

    def run(**secrets):
        settings = {"eventLog.enabled": "true", "eventLog.dir": f"file://{left}/events", "local.dir": f"{left}/scratch"}
        command = [sys.executable, str(ROOT / "jobs" / "ingest.py"), str(experiment), "--workspace", str(left / "work")]
        for name, value in settings.items():
            command += ["--set", f"spark.{name}={value}"]
        with (left / "out").open("w") as out:
            process = start_process(*command, env=os.environ | secrets, stdout=out, stderr=subprocess.STDOUT)
        seen = Seen(process.pid, left / "scratch")
        code = process.wait(PATIENCE)
        return code, left, seen.end()

    return run


class Seen(threading.Thread):
    """Collects what others on the machine could see of a command: its processes' arguments, its workers' environment,
    what it keeps on disk while it runs."""

    def __init__(self, pid, scratch):
        super().__init__(daemon=True)
        self.texts = {}
        self._pid, self._scratch = pid, scratch
        self._over = threading.Event()
        self.start()

    def run(self):
        command = psutil.Process(self._pid)
        while not self._over.wait(0.2):
            with suppress(psutil.Error):
                for process in [command, *command.children(recursive=True)]:
                    self._look_at(process)
            for file in self._scratch.rglob("*"):
                with suppress(OSError):
                    if file.is_file() and str(file) not in self.texts:
                        self.texts[str(file)] = file.read_bytes()

    def end(self):
        self._over.set()
        self.join()
        return self.texts

    def _look_at(self, process):
        with suppress(psutil.Error):
            arguments = process.cmdline()
            self.texts[f"arguments of {process.pid}"] = "\n".join(arguments).encode()
            if is_daemon(arguments):
                self.texts[f"worker {process.pid}"] = repr(process.environ()).encode()


def places_of(secret, left, seen):
    """Return where a secret is found, as it is and by its first part, which base64 over more text would keep."""
    words = [secret.encode(), secret[:20].encode(), base64.b64encode(secret.encode())[:20]]
    texts = seen | {str(file): file.read_bytes() for file in left.rglob("*") if file.is_file()}
    return [place for place, text in texts.items() if any(word in text for word in words)]


def test_no_long_lived_secret_is_left(ingest):
    code, left, seen = ingest(AZURE_STORAGE_KEY=KEY, AZURE_CLIENT_SECRET=CLIENT_SECRET)
    assert code == 0, (left / "out").read_text()
    assert (left / "work" / "tables" / "ingest.json").exists()
    assert any((left / "events").iterdir())
    assert any(place.startswith("worker") for place in seen)
    for secret in (KEY, CLIENT_SECRET):
        assert places_of(secret, left, seen) == []
    # Nor is the leave to read that tasks get, but in Spark's memory.
    assert places_of("&sig=", left, seen) == []


def test_no_secret_is_told_when_it_is_wrong(ingest):
    code, left, seen = ingest(AZURE_STORAGE_KEY=WRONG)
    assert code == 1
    text = (left / "out").read_text()
    assert text.count("\n") == 1
    assert "refuses the login by AZURE_STORAGE_KEY (403 AuthorizationFailure); check key, SAS or role" in text
    assert places_of(WRONG, left, seen) == []
