"""Account keys in Hadoop's configuration, in the clear and in the ways a cluster hides them."""

from __future__ import annotations

import io
import zipfile

import pytest

from sparksweep.errors import StorageError
from sparksweep.pipeline.job import start_job
from sparksweep.pipeline.matrices import ensure_matrices, open_part
from sparksweep.storage.hadoop import account_key

pytestmark = pytest.mark.spark

BLOB, DFS = "acme.blob.core.windows.net", "acme.dfs.core.windows.net"
KEY, PROVIDER = "fs.azure.account.key.", "fs.azure.account.keyprovider."
CREDENTIALS = "hadoop.security.credential.provider.path"


@pytest.fixture
def hadoop(wasb_spark):
    """Return a function that sets settings of Hadoop for one test."""
    conf, names = wasb_spark._jsc.hadoopConfiguration(), []

    def put(**settings):
        for name, value in settings.items():
            conf.set(name, value)
            names.append(name)
        return conf

    yield put
    for name in names:
        conf.unset(name)


def test_there_is_none(hadoop):
    assert account_key(BLOB) is None


@pytest.mark.parametrize(("host", "kept_for"), [(BLOB, BLOB), (DFS, DFS), (DFS, BLOB)])
def test_a_key_in_the_clear(hadoop, host, kept_for):
    hadoop(**{KEY + kept_for: "a2V5"})
    assert account_key(host) == "a2V5"


def test_a_key_in_a_credential_provider(wasb_spark, hadoop, tmp_path):
    provider = f"localjceks://file{tmp_path}/keys.jceks"
    words = ["create", KEY + BLOB, "-value", "a2V5", "-provider", provider]
    jvm = wasb_spark._jvm
    arguments = wasb_spark.sparkContext._gateway.new_array(jvm.java.lang.String, len(words))
    for place, word in enumerate(words):
        arguments[place] = word
    shell = jvm.org.apache.hadoop.security.alias.CredentialShell()
    shell.setConf(hadoop(**{CREDENTIALS: provider}))
    assert shell.run(arguments) == 0
    assert account_key(BLOB) == "a2V5"


@pytest.fixture
def decrypt(tmp_path):
    """A cluster's script that turns what stands in the configuration into the key."""
    script = tmp_path / "decrypt.sh"
    script.write_text('#!/bin/sh\n[ "$1" = b3RoZXI= ] && echo a2V5\n')
    script.chmod(0o755)
    return str(script)


@pytest.mark.parametrize(("host", "package"), [(BLOB, "azure"), (DFS, "azurebfs.services")])
def test_a_key_that_a_script_decrypts(hadoop, decrypt, host, package):
    hadoop(**{
        KEY + host: "b3RoZXI=",
        PROVIDER + host: f"org.apache.hadoop.fs.{package}.ShellDecryptionKeyProvider",
        "fs.azure.shellkeyprovider.script": decrypt,
    })  # fmt: skip
    assert account_key(host) == "a2V5"


def test_a_key_that_cannot_be_decrypted(hadoop):
    hadoop(**{
        KEY + BLOB: "topsecret",
        PROVIDER + BLOB: "org.apache.hadoop.fs.azure.ShellDecryptionKeyProvider",
        "fs.azure.shellkeyprovider.script": "/absent",
    })  # fmt: skip
    with pytest.raises(StorageError) as caught:
        account_key(BLOB)
    assert str(caught.value) == (
        f"cannot read the key of {BLOB} in Hadoop's configuration: KeyProviderException; mend its key provider, or set "
        "AZURE_STORAGE_KEY"
    )


EXPERIMENT = """
data: {source: "wasb://%s@%s.blob.core.windows.net:80/raw", format: logs, schema_file: "%s"}
features: {sets: [hour]}
search: {estimator: sklearn.linear_model.LogisticRegression, param_grid: {C: [1]}}
"""
SCHEMA = """
tables:
  people: {columns: {person: int32, leaves: string}, key: [person]}
  visits: {columns: {person: int32, time: timestamp}}
rows: {train: people, key: person, target: leaves}
feature_sets: {hour: {kind: share, table: visits, by: hour(time)}}
"""
LOGS = {
    "people": "person,leaves\n1,yes\n2,no\n",
    "visits": "person,time\n1,2026-05-01 08:00:00\n1,2026-05-01 09:00:00\n2,2026-05-02 09:00:00\n",
}


@pytest.fixture
def experiment(wasb_spark, hadoop, azurite, container, fault_proxy, monkeypatch, tmp_path):
    """Return an experiment on archives at the account's production address, which leads driver and tasks to Azurite.

    With its port: else it would be spoken to by https.
    """
    hadoop(**{f"{KEY}{azurite.account}.blob.core.windows.net:80": azurite.key})
    for name, text in LOGS.items():
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as member:
            member.writestr(f"{name}.csv", text)
        container.upload_blob(f"raw/{name}.csv.zip", archive.getvalue())
    monkeypatch.setenv("http_proxy", fault_proxy.url)
    monkeypatch.setitem(wasb_spark.sparkContext.environment, "http_proxy", fault_proxy.url)
    (tmp_path / "schema.yaml").write_text(SCHEMA)
    file = tmp_path / "mine.yaml"
    file.write_text(EXPERIMENT % (container.container_name, azurite.account, tmp_path / "schema.yaml"))
    return file


def test_archives_are_read_by_the_key_that_the_cluster_has(experiment, azurite, fault_proxy, tmp_path):
    """No variable says how to log in; tasks get a SAS that is made of Hadoop's key, and the key itself goes nowhere."""
    job = start_job(str(experiment), str(tmp_path / "workspace"), (), print)
    fault_proxy.seen.clear()
    assert ensure_matrices(job)
    assert open_part(job, "train").X.toarray().tolist() == [[0.5, 0.5], [0.0, 1.0]]
    read = [seen.path for seen in fault_proxy.seen if "sig=" in seen.path]
    assert any("visits.csv.zip" in path for path in read)
    assert azurite.key not in str([seen.path for seen in fault_proxy.seen])
