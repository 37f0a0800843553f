"""A store through Hadoop's FileSystem, over file:///: the contract, and what only the JVM can say."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest

from sparksweep.errors import StorageError
from sparksweep.search.ledger import open_ledger
from sparksweep.storage import LocalStore, hadoop, open_store
from sparksweep.storage.hadoop import HadoopStore
from sparksweep.storage.scratch import PREFIX

pytestmark = pytest.mark.spark

CONTRACT = Path(__file__).parents[2] / "unit" / "storage" / "store_contract.py"
SPEC = importlib.util.spec_from_file_location("store_contract_hadoop", CONTRACT)
contract = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(contract)


@pytest.fixture
def store(spark, tmp_path):
    return HadoopStore(f"file://{tmp_path}/work space")


class TestHadoopStore(contract.StoreContract):
    """The contract over Hadoop's local file system."""


@pytest.fixture
def raw_store(store, monkeypatch):
    """Hadoop's local file system without its checksums: its hsync is durable, as that of HDFS is."""
    monkeypatch.setattr(store, "_fs", store._fs.getRawFileSystem())
    return store


class TestHadoopLog(contract.LogContract):
    """The contract of files that grow, through a stream of the JVM."""

    @pytest.fixture
    def store(self, raw_store):
        return raw_store


def test_a_file_system_whose_files_are_kept_when_closed_has_no_logs(store):
    """So are checksummed files: a checksum is of 512 bytes, written when they are full."""
    assert store.open_log("segments/x.jsonl") is None
    assert store.list("segments") == []


@pytest.mark.parametrize("scheme", ["wasbs", "abfss", "s3a"])
def test_an_object_store_has_no_logs_and_is_not_even_asked(raw_store, monkeypatch, scheme):
    monkeypatch.setattr(HadoopStore, "_scheme", scheme)
    monkeypatch.setattr(raw_store, "_fs", None)
    assert raw_store.open_log("segments/x.jsonl") is None


def test_a_name_that_another_takes_a_moment_later_is_not_ours(store, monkeypatch):
    """Where two may both make a file, the last one has it."""
    another = SimpleNamespace(sleep=lambda seconds: store.write_bytes("lease", b"another"))
    monkeypatch.setattr(hadoop, "time", another)
    assert not store.create("lease", b"mine")
    assert store.read_bytes("lease") == b"another"


def test_on_hdfs_a_name_is_ours_at_once(store, monkeypatch):
    monkeypatch.setattr(HadoopStore, "_scheme", "hdfs")
    monkeypatch.setattr(hadoop, "time", None)
    assert store.create("lease", b"mine")
    assert not store.create("lease", b"another")
    assert store.read_bytes("lease") == b"mine"


def test_a_name_whose_content_cannot_be_written_is_given_back(store, monkeypatch):
    def fail(stream, data):
        stream.close()
        store._fs.open(store._path("nothing"))

    monkeypatch.setattr(store, "_write", fail)
    with pytest.raises(StorageError, match=r"cannot write .*lease: "):
        store.create("lease", b"mine")
    assert not store.exists("lease")


@pytest.mark.parametrize("kind", ["grows", "rolls"])
def test_a_ledger_through_the_jvm(raw_store, monkeypatch, kind):
    if kind == "rolls":
        monkeypatch.setattr(HadoopStore, "_scheme", "wasbs")
    ledger = open_ledger(raw_store)
    records = [
        {"fit_key": f"{n:02x}", "status": "complete", "attempt": 1, "started": 1.0, "ended": 2.0, "test_score": n / 3}
        for n in range(4)
    ]
    with ledger.lease("0123abcd") as lease, ledger.writer() as writer:
        for record in records:
            writer.write([record])
            assert record["fit_key"] in ledger.read().records
        lease.check()
    contents = ledger.read()
    assert list(contents.records.values()) == records
    assert contents.n_segments == (1 if kind == "grows" else 4)
    ledger.prune()
    assert list(ledger.read().records.values()) == records
    assert ledger.read().n_segments == 1
    assert ledger.holders() == []


def test_a_ledger_of_hadoop_that_cannot_be_written_is_one_line(spark, tmp_path):
    (tmp_path / "ledger").write_text("")
    with pytest.raises(StorageError, match=r"^cannot make the folder [^\n]*a file stands where[^\n]*$"):
        open_ledger(HadoopStore(f"file://{tmp_path}/ledger")).writer()


def test_uri_is_the_root_and_the_path(store, tmp_path):
    assert store.uri("a/b") == f"file://{tmp_path}/work space/a/b"


def test_spark_reads_what_the_store_wrote(spark, store):
    store.write_bytes("x.txt", b"one\ntwo\n")
    assert [row.value for row in spark.read.text(store.uri("x.txt")).collect()] == ["one", "two"]


def test_both_stores_see_the_same_files(store, tmp_path):
    store.write_bytes("a/x", b"1")
    assert LocalStore(tmp_path / "work space").read_bytes("a/x") == b"1"


def test_fetched_copies_have_no_checksum_files(store):
    store.write_bytes("a/x", b"1")
    assert [file.name for file in store.fetch("a").iterdir()] == ["x"]


def test_fetched_copies_stay_for_the_process_and_what_others_left_is_swept(store, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(hadoop, "OF_THIS_PROCESS", ExitStack())
    store.write_bytes("x", b"1")
    left, copy = tmp_path / f"{PREFIX}left", store.fetch("x")
    left.mkdir()
    for folder in (left, copy.parent):
        os.utime(folder, (0, 0))
    store.fetch("x")
    assert (left.exists(), copy.exists()) == (False, True)
    hadoop.OF_THIS_PROCESS.close()
    assert list(tmp_path.glob(f"{PREFIX}*")) == []


def test_a_large_file_comes_back_whole(store):
    data = bytes(range(256)) * 20_000
    store.write_bytes("big", data)
    assert store.read_bytes("big") == data


def test_a_scheme_without_a_file_system(spark):
    with pytest.raises(StorageError, match=r'cannot reach nosuch://c/ws: .*No FileSystem for scheme "nosuch"; check'):
        open_store("nosuch://c/ws")


def test_a_file_system_whose_jar_is_missing(spark):
    with pytest.raises(StorageError, match=r"cannot reach s3a://bucket/ws: .*hadoop-azure"):
        open_store("s3a://bucket/ws")


def test_a_failed_write_leaves_the_old_and_no_rest(store, monkeypatch):
    store.write_bytes("x", b"old")
    jvm_path = store._path

    def refuse(path):
        return store._jvm.org.apache.hadoop.fs.Path("file:///proc/nothing") if ".new-" in path else jvm_path(path)

    monkeypatch.setattr(store, "_path", refuse)
    with pytest.raises(StorageError, match=r"^cannot write .*/x: \w+Exception: ") as caught:
        store.write_bytes("x", b"new")
    assert "\n" not in str(caught.value)
    monkeypatch.undo()
    assert store.read_bytes("x") == b"old"
    assert store._hidden("") == []


def test_a_file_system_without_file_context_renames_all_the_same(store, monkeypatch):
    monkeypatch.setattr(store, "_context", None)
    contract.publish_folder(store, "train", old="1")
    contract.publish_folder(store, "train", new="1")
    store.write_bytes("x", b"1")
    store.write_bytes("x", b"2")
    assert store.list("train") == ["new"]
    assert store.read_bytes("x") == b"2"
    assert store._hidden("") == []


def test_a_scheme_without_an_abstract_file_system_has_no_context(store, monkeypatch):
    """FileContext needs a second class, which a file system may lack: an address that is mapped to another's files."""
    assert store._context is not None
    uri = store._jvm.java.net.URI("nosuch://host/")

    class Unsupported:
        def getUri(self):
            return uri

    monkeypatch.setattr(store, "_fs", Unsupported())
    assert store._file_context() is None


@pytest.mark.parametrize(
    ("kind", "message", "told"),
    [
        ("org.apache.hadoop.security.AccessControlException", "Permission denied: user=x", "choose a folder you may"),
        ("java.io.IOException", "No space left on device", "free some space"),
        ("java.io.FileNotFoundException", "File x does not exist", "check the path"),
        ("java.net.UnknownHostException", "nosuch", "check the host's name and the network"),
        ("java.io.IOException", "Mkdirs failed\n\tat Some.java", "IOException: Mkdirs failed$"),
        ("java.io.IOException", None, "IOException: no reason given$"),
        ("java.io.IOException", "GET https://a.net/c?sv=1&sig=5EcReT failed", r"sig=\*\*\* failed$"),
    ],
)
def test_what_java_says_in_one_line_with_what_to_do(store, kind, message, told):
    java_class = store._jvm
    for part in kind.split("."):
        java_class = getattr(java_class, part)
    error = store._failure("write", "hdfs:///x", SimpleNamespace(java_exception=java_class(message)))
    assert isinstance(error, StorageError)
    assert "\n" not in str(error)
    with pytest.raises(StorageError, match=rf"^cannot write hdfs:///x: .*{told}"):
        raise error
