"""A store on wasb: the contract of stores through Hadoop's own file system, against Azurite."""

from __future__ import annotations

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from py4j.protocol import Py4JJavaError
from tests.cluster.fault_proxy import Fault
from tests.cluster.wasb import HOST

from sparksweep.errors import StorageError
from sparksweep.storage import hadoop
from sparksweep.storage.hadoop import HadoopStore

pytestmark = pytest.mark.spark

CONTRACT = Path(__file__).parents[1] / "unit" / "storage" / "store_contract.py"
SPEC = importlib.util.spec_from_file_location("store_contract_wasb", CONTRACT)
contract = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(contract)


@pytest.fixture
def store(wasb):
    return HadoopStore(wasb)


@pytest.mark.slow
class TestWasbStore(contract.StoreContract):
    """The contract on wasb."""


def test_whoever_reads_a_file_that_is_replaced_finds_the_old_or_the_new(store, fault_proxy, monkeypatch):
    """Replacing takes two renames here; between them there is no file of the name."""
    monkeypatch.setattr(hadoop, "SETTLE", 0.1)
    store.write_bytes("runs/run.json", b"old")
    found = []
    between = fault_proxy.add(
        Fault(
            "PUT", r"/runs/run\.json$", on_hit=lambda: found.append(HadoopStore(store.root).read_bytes("runs/run.json"))
        )
    )
    store.write_bytes("runs/run.json", b"new")
    assert between.hits == 1
    assert found == [b"old"]
    assert store.read_bytes("runs/run.json") == b"new"
    assert store._hidden("runs") == []


def test_a_reader_waits_for_the_second_rename(store, monkeypatch):
    store.write_bytes("runs/.run.json.old-0123abcd", b"old")
    monkeypatch.setattr(
        hadoop, "time", SimpleNamespace(sleep=lambda seconds: store.write_bytes("runs/run.json", b"new"))
    )
    assert HadoopStore(store.root).read_bytes("runs/run.json") == b"new"


def test_a_file_that_a_crash_left_between_the_renames_is_found(store, monkeypatch):
    monkeypatch.setattr(hadoop, "SETTLE", 0.0)
    store.write_bytes("runs/run.json", b"old")
    store._move("runs/run.json", "runs/.run.json.old-0123abcd")
    assert store.read_bytes("runs/run.json") == b"old"
    assert store._hidden("runs") == []


def test_of_several_who_make_a_file_at_once_one_does(store):
    stores = [HadoopStore(store.root) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda pair: pair[1].create("leases/1.claim", b"%d" % pair[0]), enumerate(stores)))
    assert sum(made) == 1
    assert store.read_bytes("leases/1.claim") == b"%d" % made.index(True)


def test_a_folder_that_another_makes_while_it_is_listed_is_listed(store):
    class JustBefore:
        """The file system, on which another makes the folder when it has just been found missing."""

        def __init__(self, fs):
            self._fs = fs

        def __getattr__(self, name):
            return getattr(self._fs, name)

        def listStatus(self, path):
            try:
                return self._fs.listStatus(path)
            except Py4JJavaError:
                HadoopStore(store.root).write_bytes("tables/other", b"1")
                raise

    store._fs = JustBefore(store._fs)
    assert store._names("tables") == ["other"]


def test_a_folder_s_marker_is_no_name_in_it(store, container):
    """Spark and Hadoop leave blobs without bytes that stand for folders, other writers none."""
    store._make_folder("tables/empty")
    container.upload_blob("work space/tables/other/part-0.parquet", b"1")
    container.upload_blob("work space/tables/marked/", b"")
    assert store.list("tables") == ["empty", "marked", "other"]
    assert store.list("tables/other") == ["part-0.parquet"]
    assert store.list("tables/empty") == store.list("tables/marked") == []
    store.delete("tables")
    assert store.list("") == []


@pytest.fixture
def folders(store):
    """Return a function that tells what is in a folder, and publishes four files as one."""

    def publish(text):
        parts = {f"part-{n:05}": text for n in range(4)}
        contract.publish_folder(store, "train", **parts)

    def held():
        return {store.read_bytes(f"train/{name}") for name in store.list("train")}, len(store.list("train"))

    return SimpleNamespace(publish=publish, held=held)


def test_a_folder_s_rename_that_fails_half_way_is_told_and_leaves_nothing(store, folders, fault_proxy):
    """It goes blob by blob; what had arrived under the name must not look like the folder."""
    fault_proxy.add(Fault("PUT", r"/train/part-00002$", status=429, times=99))
    with pytest.raises(StorageError, match=r"^cannot rename [^\n]*/train: [^\n]*$"):
        folders.publish("new")
    assert not store.exists("train")
    assert store.list("") == store._hidden("") == []


def test_a_replacing_rename_that_fails_half_way_leaves_the_old(store, folders, fault_proxy, monkeypatch):
    monkeypatch.setattr(hadoop, "SETTLE", 0.0)
    folders.publish("old")
    fault_proxy.add(Fault("PUT", r"/train/part-00002$", status=429, times=99))
    with pytest.raises(StorageError, match="cannot rename"):
        folders.publish("new")
    fault_proxy.clear()
    assert folders.held() == ({b"old"}, 4)
    assert store._hidden("") == []


def test_moving_the_old_aside_that_fails_half_way_leaves_it_whole(store, folders, fault_proxy):
    folders.publish("old")
    fault_proxy.add(Fault("PUT", r"/\.train\.old-[^/]*/part-00002$", status=429, times=99))
    with pytest.raises(StorageError, match="cannot rename"):
        folders.publish("new")
    assert folders.held() == ({b"old"}, 4)
    assert store._hidden("") == []


def test_a_folder_that_another_makes_just_before_the_rename_is_replaced(store, folders, container, monkeypatch):
    """A folder that is there is what wasb moves another into."""
    look = HadoopStore._present

    def then_made_by_another(store, path):
        found = look(store, path)
        if path == "train" and not found and not made:
            made.append(container.upload_blob("work space/train/theirs", b"1"))
        return found

    made = []
    monkeypatch.setattr(HadoopStore, "_present", then_made_by_another)
    folders.publish("new")
    assert len(made) == 1
    assert folders.held() == ({b"new"}, 4)
    assert store._hidden("") == []


FAULTS = {
    "busy": Fault("PUT", status=503, times=2),
    "failing at first": Fault("HEAD", status=500, times=2),
    "an answer lost": Fault("PUT", "comp=blocklist", lose_answer=True),
    "a copy's answer lost": Fault("PUT", r"/runs/run\.json$", lose_answer=True),
    "a download cut": Fault("GET", r"/runs/run\.json$", cut_at=50_000),
    "a bit flipped": Fault("GET", r"/runs/run\.json$", flip_at=50_000),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_on_the_way_are_mended(store, fault_proxy, name):
    data = bytes(range(256)) * 400
    store.write_bytes("runs/run.json", b"old")
    fault = fault_proxy.add(FAULTS[name])
    store.write_bytes("runs/run.json", data)
    assert store.read_bytes("runs/run.json") == data
    assert fault.hits == fault.times
    assert store._hidden("runs") == []


def test_a_service_that_is_down_is_one_line_and_keeps_the_old(store, fault_proxy):
    store.write_bytes("runs/run.json", b"old")
    fault_proxy.add(Fault("PUT", "comp=block&|blockid", status=503, times=99))
    with pytest.raises(StorageError, match=r"^cannot write wasb://[^\n]*run\.json: [^\n]*$"):
        store.write_bytes("runs/run.json", b"new")
    fault_proxy.clear()
    assert store.read_bytes("runs/run.json") == b"old"


def test_a_wrong_key_is_one_line_without_it(wasb_spark, store, azurite):
    wrong = "bm90IHRoZSBrZXk="
    host = f"other.{HOST}"
    wasb_spark._jsc.hadoopConfiguration().set(f"fs.azure.account.key.{host}", wrong)
    with pytest.raises(StorageError, match=rf"^cannot \w+[^\n]* wasb://data@{host}/ws[^\n]*$") as caught:
        HadoopStore(f"wasb://data@{host}/ws").write_bytes("x", b"1")
    assert wrong not in str(caught.value)
