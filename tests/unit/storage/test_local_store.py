"""A store in a local folder: the contract, and what only a local disk can do wrong."""

from __future__ import annotations

import errno
import importlib.util
import os
import stat
import subprocess
import time
from pathlib import Path

import pytest

from sparksweep.errors import StorageError
from sparksweep.storage import LocalStore, local
from sparksweep.storage.store import hidden_name

SPEC = importlib.util.spec_from_file_location("store_contract", Path(__file__).with_name("store_contract.py"))
contract = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(contract)


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path / "work space")


class TestLocalStore(contract.StoreContract, contract.LogContract):
    """The contract over a local folder."""


@pytest.fixture
def umask_027():
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.fixture
def tiny_disk(tmp_path):
    """A real file system of 64 kB that fills up for real."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs root to mount a tiny file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("umask_027")
def test_files_and_folders_get_the_users_umask(store):
    store.write_bytes("a/b", b"")
    with store.scratch() as scratch:
        store.publish(contract.build_folder(scratch, one="1"), "c")
    root = Path(store.root)
    assert [mode(root / path) for path in ("a/b", "c/one")] == [0o640, 0o640]
    assert [mode(root / path) for path in ("a", "c")] == [0o750, 0o750]


def test_uri_is_what_hadoop_reads_as_this_path(store):
    assert store.uri("a b/50%") == f"file://{store.root}/a b/50%"


def test_fetch_is_the_file_itself(store):
    store.write_bytes("a", b"1")
    assert store.fetch("a") == Path(store.root) / "a"


def test_a_relative_folder_stays_where_it_was_when_the_process_moves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = LocalStore("here")
    monkeypatch.chdir("/")
    store.write_bytes("x", b"")
    assert (tmp_path / "here" / "x").exists()


def test_publish_moves_within_one_file_system(store):
    with store.scratch() as scratch:
        folder = contract.build_folder(scratch, one="1")
        inode = folder.stat().st_ino
        store.publish(folder, "moved")
        assert not folder.exists()
    assert (Path(store.root) / "moved").stat().st_ino == inode


def test_publish_copies_from_another_file_system(store, tmp_path, monkeypatch):
    (tmp_path / "new" / "deep").mkdir(parents=True, mode=0o700)
    (tmp_path / "new" / "deep" / "file").write_text("1")
    monkeypatch.setattr(local.os, "rename", raising(errno.EXDEV))
    store.publish(tmp_path / "new", "copied")
    assert store.read_bytes("copied/deep/file") == b"1"
    assert mode(Path(store.root) / "copied" / "deep") != 0o700


def test_who_reads_the_old_file_reads_it_to_its_end(store):
    store.write_bytes("x", b"old")
    with open(store.fetch("x"), "rb") as reader:
        store.write_bytes("x", b"new")
        assert reader.read() == b"old"


def raising(number):
    def fail(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EACCES, "Permission denied; choose a folder you may write to"),
        (errno.EROFS, "Read-only file system; choose a folder you may write to"),
        (errno.ENOSPC, "No space left on device; free some space"),
        (errno.EDQUOT, "Disk quota exceeded; free some space"),
        (errno.EIO, "Input/output error; check the disk"),
    ],
)
def test_a_failed_write_says_why_and_what_to_do_and_leaves_the_old(store, monkeypatch, number, advice):
    store.write_bytes("x", b"old")
    monkeypatch.setattr(local.os, "fsync", raising(number))
    with pytest.raises(StorageError, match=rf"^cannot write .*/x: {advice}") as caught:
        store.write_bytes("x", b"new")
    assert "\n" not in str(caught.value)
    monkeypatch.undo()
    assert store.read_bytes("x") == b"old"
    assert store._hidden("") == []


def test_a_failed_publish_leaves_the_old_and_no_rest(store, monkeypatch):
    contract.publish_folder(store, "train", old="1")
    with store.scratch() as scratch:
        folder = contract.build_folder(scratch, new="1")
        monkeypatch.setattr(local.os, "fsync", raising(errno.ENOSPC))
        with pytest.raises(StorageError, match=r"cannot write .*train: No space left"):
            store.publish(folder, "train")
    assert store.list("train") == ["old"]
    assert store._hidden("") == []


def test_a_full_disk(tiny_disk):
    store = LocalStore(tiny_disk)
    store.write_bytes("x", b"old")
    with pytest.raises(StorageError, match=r"cannot write .*x: No space left on device; free some space"):
        store.write_bytes("x", b"0" * 200_000)
    assert store.read_bytes("x") == b"old"
    assert store._hidden("") == []


def test_copying_onto_a_full_disk(tiny_disk, tmp_path):
    store = LocalStore(tiny_disk)
    (tmp_path / "big").mkdir()
    (tmp_path / "big" / "file").write_bytes(b"0" * 200_000)
    with pytest.raises(StorageError, match=r"cannot write .*train: No space left on device"):
        store.publish(tmp_path / "big", "train")
    assert not store.exists("train")
    assert store._hidden("") == []


def test_a_store_below_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"cannot make the folder .*file/ws: Not a directory; a file stands where"):
        LocalStore(tmp_path / "file" / "ws").write_bytes("x", b"")


def test_a_name_too_long(store):
    with pytest.raises(StorageError, match="File name too long; use shorter names"):
        store.write_bytes("x" * 300, b"")


def test_an_error_without_a_number_still_makes_one_line(store, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("told by a library")

    monkeypatch.setattr(local.os, "fsync", fail)
    with pytest.raises(StorageError, match=r"^cannot write .*/x: told by a library$"):
        store.write_bytes("x", b"")


def test_scratch_of_a_killed_process_goes_after_two_days(store):
    root = Path(store.root)
    for name in (".scratch-dead", ".scratch-alive"):
        (root / name).mkdir(parents=True)
    long_ago = time.time() - 3 * 24 * 3600
    os.utime(root / ".scratch-dead", (long_ago, long_ago))
    with store.scratch():
        assert not (root / ".scratch-dead").exists()
        assert (root / ".scratch-alive").exists()


@pytest.mark.slow
def test_publishing_at_the_same_time_leaves_one_whole_folder(store):
    """Four processes replace one folder again and again; whoever looks sees a whole one, or for a moment none."""
    program = (
        "import sys; from pathlib import Path; from sparksweep.storage import LocalStore\n"
        "store = LocalStore(sys.argv[1])\n"
        "for turn in range(10):\n"
        "    with store.scratch() as scratch:\n"
        "        folder = scratch / 'new'; folder.mkdir()\n"
        "        for name in 'abc': (folder / name).write_text(sys.argv[2])\n"
        "        store.publish(folder, 'train')\n"
    )
    import sys

    writers = [subprocess.Popen([sys.executable, "-c", program, store.root, str(number)]) for number in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert store.list("train") == ["a", "b", "c"]
    assert len({store.read_bytes(f"train/{name}") for name in "abc"}) == 1
    assert store._hidden("") == []


def test_a_name_to_read_is_no_pattern(tmp_path):
    store = LocalStore(tmp_path / r"a[1] {b}*?\c")
    assert store.read_uri("t.parquet") == rf"file://{tmp_path}/a\[1\] \{{b\}}\*\?\\c/t.parquet"
    assert LocalStore(tmp_path / "plain ä").read_uri("") == f"file://{tmp_path}/plain ä"


def test_of_several_that_were_left_aside_the_newest_comes_back(store):
    for number in range(8):
        store.write_bytes("run.json", b"%d" % number)
        store._move("run.json", hidden_name("run.json", "old"))
    assert store.exists("run.json")
    assert store.read_bytes("run.json") == b"7"
