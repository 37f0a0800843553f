"""What was written is there, whatever became of the writer: killed, out of space, interrupted."""

from __future__ import annotations

import errno
import os
import random
import resource
import signal
import subprocess
import time
from pathlib import Path

import pytest

from sparksweep.errors import StorageError
from sparksweep.search.ledger import open_ledger, writing
from sparksweep.storage import LocalStore, local

pytestmark = pytest.mark.slow

WRITE_ON = """
import sys, time
from sparksweep.search.ledger import open_ledger
place, start, count, extra = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
with open_ledger(place).writer() as writer:
    print("ready")
    for number in range(start, start + count):
        writer.write([{"fit_key": f"{number:04x}", "status": "complete", "attempt": 1, "started": 1.0, "ended": 2.0,
                       "text": "x" * extra}])
        print(number)
"""


@pytest.fixture
def tiny_disk(tmp_path):
    """A real file system of 64 kB that fills up for real."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs root to mount a tiny file system")
    yield folder
    subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def file_limit():
    """Let files of this process grow to 3,000 bytes only: a write in the middle of a line fails for real."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size if size else before[0], before[1]))

    yield limit
    limit(None)
    signal.signal(signal.SIGXFSZ, handler)


def test_what_was_written_is_read_back(ledger, build_record):
    records = [build_record(f"{number:02x}", test_score=number / 3, n_test=7) for number in range(3)]
    with ledger.writer() as writer:
        writer.write(iter(records[:2]))
        assert list(ledger.read().records.values()) == records[:2]
        writer.write(records[2:])
        writer.write([])
    contents = ledger.read()
    assert list(contents.records.values()) == records
    assert (contents.n_segments, contents.n_records, contents.notes) == (1, 3, [])


def test_a_writer_that_wrote_nothing_leaves_nothing(ledger, segments):
    with ledger.writer():
        assert len(list(segments.iterdir())) == 1
    assert list(segments.iterdir()) == []


def test_a_record_that_is_none_leaves_no_part_of_the_others(ledger, build_record):
    with ledger.writer() as writer:
        with pytest.raises(ValueError, match="attempt must be"):
            writer.write([build_record("01"), build_record("02", attempt=0)])
        writer.write([build_record("03")])
    assert list(ledger.read().records) == ["03"]


def test_bytes_are_flushed_before_write_returns(ledger, build_record, monkeypatch):
    """The names of the segment and of its folders are flushed at the start, the bytes at each write."""
    flushed = []
    fsync = os.fsync

    def watch(number):
        flushed.append(Path(os.readlink(f"/proc/self/fd/{number}")))
        fsync(number)

    monkeypatch.setattr(local.os, "fsync", watch)
    root = Path(ledger.uri)
    with ledger.writer() as writer:
        assert [root / "segments", root, root.parent] == flushed
        flushed.clear()
        writer.write([build_record("01")])
        assert [path.parent for path in flushed] == [root / "segments"]
        assert flushed[0].read_bytes().endswith(b"\n")


def test_two_processes_write_at_once(ledger, segments, start):
    writers = [start(WRITE_ON, ledger.uri, first, 200, 50) for first in (0, 1000)]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    contents = ledger.read()
    assert sorted(contents.records) == [f"{number:04x}" for number in (*range(200), *range(1000, 1200))]
    assert (contents.n_segments, contents.notes) == (2, [])


def test_a_forked_process_writes_to_its_own_segment(ledger, segments, build_record):
    with ledger.writer() as writer:
        writer.write([build_record("01")])
        child = os.fork()
        if child == 0:
            try:
                writer.write([build_record("02")])
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        writer.write([build_record("03")])
    assert sorted(ledger.read().records) == ["01", "02", "03"]
    assert sorted(path.read_bytes().count(b"\n") for path in segments.iterdir()) == [1, 2]


@pytest.mark.parametrize("turn", range(6))
def test_kill_9_loses_nothing_that_write_returned_for(ledger, start, turn):
    writer = start(WRITE_ON, ledger.uri, 0, 100_000, random.Random(turn).choice([10, 5_000, 200_000]))
    assert [writer.stdout.readline() for _ in range(2)] == ["ready\n", "0\n"]
    time.sleep(random.Random(turn).uniform(0.05, 0.4))
    writer.kill()
    told = [0, *(int(line) for line in writer.stdout.read().splitlines())]
    contents = ledger.read()
    assert len(contents.records) - len(told) in (0, 1)
    assert {f"{number:04x}" for number in told} <= contents.records.keys()
    assert all(note.endswith("torn line, dropped") for note in contents.notes)
    again = start(WRITE_ON, ledger.uri, 200_000, 3, 10)
    assert again.wait(60) == 0
    assert len(ledger.read().records) == len(contents.records) + 3


def test_a_full_disk_in_the_middle_of_a_line(tiny_disk, build_record):
    ledger = open_ledger(tiny_disk / "ledger")
    filler = tiny_disk / "filler"
    with ledger.writer() as writer:
        writer.write([build_record("01")])
        filler.write_bytes(b"0" * 20_000)
        late = [build_record(f"{number:02x}", fit_error="x" * 9_000) for number in range(2, 8)]
        with pytest.raises(StorageError, match=r"^cannot write .*: No space left on device; free some space[^\n]*$"):
            writer.write(late)
        assert "01" in ledger.read().records
        for _ in range(3):
            with pytest.raises(StorageError, match="No space left"):
                writer.write(late)
        filler.unlink()
        for path in (tiny_disk / "ledger" / "segments").iterdir():
            assert path.stat().st_size
        writer.write(late[:1])
        writer.write([build_record("09")])
    contents = ledger.read()
    assert {"01", "02", "09"} <= contents.records.keys()
    assert contents.records["02"] == late[0]


def test_an_append_that_fails_halfway_does_not_harm_the_lines_after_it(ledger, segments, build_record, file_limit):
    with ledger.writer() as writer:
        writer.write([build_record("01")])
        file_limit(3_000)
        late = [build_record(f"{number:02x}", text="x" * 900) for number in range(2, 7)]
        with pytest.raises(StorageError, match=r"File too large; free some space"):
            writer.write(late)
        assert (max(path.stat().st_size for path in segments.iterdir())) == 3_000
        file_limit(None)
        writer.write(late)
        writer.write([build_record("07")])
    contents = ledger.read()
    assert sorted(contents.records) == [f"{number:02x}" for number in range(1, 8)]
    assert len(contents.notes) == 1
    assert contents.notes[0].endswith("ends in a torn line, dropped")
    assert contents.n_segments == 2


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt(), MemoryError()])
def test_an_interrupt_in_the_middle_of_a_line(ledger, build_record, monkeypatch, interrupt):
    write = os.write

    def half(number, data):
        write(number, bytes(data)[:10])
        raise interrupt

    with ledger.writer() as writer:
        writer.write([build_record("01")])
        monkeypatch.setattr(local.os, "write", half)
        with pytest.raises(type(interrupt)):
            writer.write([build_record("02")])
        monkeypatch.undo()
        writer.write([build_record("02")])
    assert list(ledger.read().records) == ["01", "02"]


def test_a_flush_that_fails_is_told_and_may_be_tried_again(ledger, build_record, monkeypatch):
    def fail(number):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with ledger.writer() as writer:
        monkeypatch.setattr(local.os, "fsync", fail)
        with pytest.raises(StorageError, match="Input/output error; check the disk"):
            writer.write([build_record("01")])
        monkeypatch.undo()
        writer.write([build_record("01")])
    assert list(ledger.read().records) == ["01"]


def test_a_file_where_the_folder_should_be_is_told_before_anything_is_trained(tmp_path):
    (tmp_path / "ledger").write_text("")
    ledger = open_ledger(tmp_path / "ledger")
    assert ledger.read().n_segments == 0
    with pytest.raises(
        StorageError, match=r"^cannot make the folder .*ledger/segments: [^\n]*a file stands where[^\n]*$"
    ):
        ledger.writer()


def test_a_read_only_file_system_is_read_and_told_before_anything_is_trained(tiny_disk, build_record):
    ledger = open_ledger(tiny_disk / "ledger")
    with ledger.writer() as writer:
        writer.write([build_record("01")])
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    assert list(ledger.read().records) == ["01"]
    with pytest.raises(StorageError, match=r"^cannot write [^\n]*: Read-only file system; choose a folder[^\n]*$"):
        ledger.writer()


def test_a_folder_without_permission_is_told_before_anything_is_trained(tmp_path):
    """Permission bits do not bind root, so a process that is root becomes nobody first."""
    code = (
        "import os, sys\nfrom sparksweep.search.ledger import open_ledger\nfrom sparksweep.errors import StorageError\n"
        "if os.geteuid() == 0: os.setegid(65534); os.seteuid(65534)\n"
        "try: open_ledger(sys.argv[1]).writer()\nexcept StorageError as error: print(error)\n"
    )
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    (tmp_path / "ledger" / "segments").mkdir(parents=True)
    (tmp_path / "ledger" / "segments").chmod(0o555)
    import sys

    done = subprocess.run([sys.executable, "-c", code, tmp_path / "ledger"], capture_output=True, text=True, check=True)
    assert "Permission denied; choose a folder you may write to, or change its permissions\n" in done.stdout
    assert done.stdout.count("\n") == 1


class ObjectStore(LocalStore):
    """A store whose files are kept only when they are closed."""

    def open_log(self, path):
        return None


def test_an_object_store_gets_small_segments_that_are_joined(tmp_path, build_record, monkeypatch):
    monkeypatch.setattr(writing, "JOINED", 4)
    ledger = open_ledger(ObjectStore(tmp_path))
    with ledger.writer() as writer:
        assert ledger.read().n_segments == 0
        for number in range(10):
            writer.write([build_record(f"{number:02x}")])
            assert len(ledger.read().records) == number + 1
    assert ledger.read().n_segments == 4  # two of 4, and two small ones
    assert sorted(ledger.read().records) == [f"{number:02x}" for number in range(10)]


@pytest.mark.parametrize("method", ["write_bytes", "delete"])
def test_a_join_that_fails_loses_nothing(tmp_path, build_record, monkeypatch, method):
    monkeypatch.setattr(writing, "JOINED", 3)
    store = ObjectStore(tmp_path)
    with open_ledger(store).writer() as writer:
        for number in range(2):
            writer.write([build_record(f"{number:02x}")])
        original, calls = getattr(store, method), []

        def fail_at_the_join(path, *data):
            calls.append(path)
            if method == "delete" or len(calls) > 1:
                raise StorageError("no")
            return original(path, *data)

        monkeypatch.setattr(store, method, fail_at_the_join)
        writer.write([build_record("02")])
        monkeypatch.undo()
        writer.write([build_record("03")])
    assert sorted(open_ledger(store).read().records) == ["00", "01", "02", "03"]


def test_an_object_store_that_cannot_be_written_is_told_before_anything_is_trained(tmp_path):
    (tmp_path / "ledger").write_text("")
    with pytest.raises(StorageError, match="a file stands where a folder is needed"):
        open_ledger(ObjectStore(tmp_path / "ledger")).writer()
