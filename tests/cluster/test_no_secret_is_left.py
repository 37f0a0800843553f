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
from urllib.parse import unquote

import psutil
import pytest
from azure.storage.blob import generate_container_sas
from tests.cluster.azurite import running_azurite
from tests.spark.python_workers import is_daemon

ROOT = Path(__file__).parents[2]
PATIENCE = 300.0  # seconds
ACCOUNT = "markedaccount"
KEY = base64.b64encode(b"a marked key that nobody else has, for a whole command").decode()
WRONG = base64.b64encode(b"a marked key that is wrong").decode()
WORDS = {
    "AZURE_CLIENT_SECRET": "marked-client-secret",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD": "marked-certificate-password",
}
EXPERIMENT = """\
data: {{source: {source}, format: logs, schema_file: {schema}}}
features: {{sets: [hour]}}
search: {{estimator: sklearn.linear_model.LogisticRegression, param_grid: {{C: [1]}}, cv: 2}}
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
    "customers": "customer_id,churned\n" + "1,yes\n2,no\n3,yes\n4,no\n",
    "visits": "visit_id,customer_id,time\n" + "".join(f"{n},{n},2016-05-0{n} 11:00:00\n" for n in range(1, 5)),
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
def source(azurite, container, tmp_path):
    """The address of a folder with the archives."""
    for name, text in TEXTS.items():
        with zipfile.ZipFile(tmp_path / f"{name}.csv.zip", "w") as archive:
            archive.writestr(f"{name}.csv", text)
        container.upload_blob(f"raw/{name}.csv.zip", (tmp_path / f"{name}.csv.zip").read_bytes())
    return f"{azurite.endpoint}/{container.container_name}/raw"


@pytest.fixture
def sas(container):
    """Return a function that makes a SAS for the container, each with a signature of its own."""

    def make(key=KEY, year=2099):
        return generate_container_sas(
            ACCOUNT, container.container_name, account_key=key, permission="rl", expiry=f"{year}-01-01T00:00:00Z"
        )

    return make


@pytest.fixture
def run(start_process, tmp_path):
    """Return a function that runs a command as its user would, and what its processes showed meanwhile."""
    left = tmp_path / "left"
    (left / "events").mkdir(parents=True)
    (left / "scratch").mkdir()
    (tmp_path / "shop.yaml").write_text(SCHEMA)

    def run(command, source, secrets):
        experiment = tmp_path / "experiment.yaml"
        experiment.write_text(EXPERIMENT.format(source=source, schema=tmp_path / "shop.yaml"))
        settings = {"eventLog.enabled": "true", "eventLog.dir": f"file://{left}/events", "local.dir": f"{left}/scratch"}
        arguments = [sys.executable, str(ROOT / "jobs" / command), str(experiment), "--workspace", str(left / "work")]
        for name, value in settings.items():
            arguments += ["--set", f"spark.{name}={value}"]
        with (left / "out").open("w") as out:
            process = start_process(*arguments, env=os.environ | secrets, stdout=out, stderr=subprocess.STDOUT)
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
            for file in files_in(self._scratch):
                with suppress(OSError):
                    if file not in self.texts:
                        self.texts[file] = Path(file).read_bytes()

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


def files_in(folder):
    """Return all paths of files, also while others delete some: a session's JVM outlives its command a moment."""
    return [os.path.join(place, name) for place, _, names in os.walk(folder) for name in names]


def places_of(secret, left, seen):
    """Return where a secret is found, as it is and by its first part, which base64 over more text would keep."""
    words = [secret.encode(), secret[:20].encode(), base64.b64encode(secret.encode())[:20]]
    texts = dict(seen)
    for file in files_in(left):
        with suppress(FileNotFoundError):
            texts[file] = Path(file).read_bytes().replace(b"&sig=***", b"")
    return [place for place, text in texts.items() if any(word in text for word in words)]


def signature(sas):
    return sas.rpartition("sig=")[2]


def assert_nowhere(secrets, left, seen):
    """A signature may be written with its signs escaped or not."""
    for secret in secrets:
        for form in {secret, unquote(secret)}:
            assert places_of(form, left, seen) == []


def assert_nothing_is_left(done, file, secrets):
    code, left, seen = done
    assert code == 0, (left / "out").read_text()
    assert list(left.glob(f"work/{file}"))
    assert any((left / "events").iterdir())
    assert any(place.startswith("worker") for place in seen)
    # Nor is the leave to read that tasks get, but in Spark's memory.
    assert_nowhere([*secrets, "&sig="], left, seen)


def test_a_sweep_with_a_key_leaves_no_secret(run, source):
    done = run("sweep.py", source, {"AZURE_STORAGE_KEY": KEY, **WORDS})
    assert_nothing_is_left(done, "runs/*/run.json", [KEY, *WORDS.values()])


def test_a_sweep_with_a_sas_in_its_address_leaves_no_secret(run, source, sas):
    """Its file has it, and the environment another."""
    used, unused = sas(), sas(year=2098)
    done = run("sweep.py", f"'{source}?{used}'", {"AZURE_STORAGE_SAS_TOKEN": unused})
    assert_nothing_is_left(done, "runs/*/run.json", [signature(used), signature(unused)])


def test_a_secrets_file_leaves_no_secret(run, source, sas, azurite, tmp_path):
    token = sas()
    connection = f"BlobEndpoint={azurite.endpoint};SharedAccessSignature={token}"
    file = tmp_path / "secrets"
    lines = {"AZURE_STORAGE_CONNECTION_STRING": connection, **WORDS}
    file.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    file.chmod(0o600)
    done = run("ingest.py", source, {"SPARKSWEEP_SECRETS_FILE": str(file)})
    assert_nothing_is_left(done, "tables/ingest.json", [signature(token), *WORDS.values()])


def test_no_key_is_told_when_it_is_wrong(run, source):
    code, left, seen = run("ingest.py", source, {"AZURE_STORAGE_KEY": WRONG})
    assert code == 1
    text = (left / "out").read_text()
    assert text.count("\n") == 1
    assert "refuses the login by AZURE_STORAGE_KEY (403 AuthorizationFailure); check key, SAS or role" in text
    assert_nowhere([WRONG], left, seen)


@pytest.mark.parametrize("login", ["the SAS in the address", "AZURE_STORAGE_SAS_TOKEN"])
def test_no_sas_is_told_when_it_is_wrong(run, source, sas, login):
    token = sas(WRONG)
    if login == "the SAS in the address":
        code, left, seen = run("ingest.py", f"'{source}?{token}'", {})
    else:
        code, left, seen = run("ingest.py", source, {"AZURE_STORAGE_SAS_TOKEN": token})
    assert code == 1
    text = (left / "out").read_text()
    assert text.count("\n") == 1
    assert f"the service refuses the login by {login} (403" in text
    assert_nowhere([signature(token)], left, seen)


def test_no_secret_in_a_wrong_experiment_is_told(run, source, sas):
    token = sas()
    code, left, seen = run("ingest.py", f"['{source}?{token}']", {})
    assert code == 2
    text = (left / "out").read_text()
    assert "data.source: input should be a valid string, got [" in text
    assert_nowhere([signature(token)], left, seen)
