"""What every store must do, as tests; a subclass gives the fixture ``store``. Loaded by path from tests/spark too."""

from __future__ import annotations

import time

import pytest

from sparksweep.errors import StorageError


def build_folder(scratch, **files):
    """Make scratch/new with a file for each keyword."""
    folder = scratch / "new"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def publish_folder(store, path, **files):
    with store.scratch() as scratch:
        store.publish(build_folder(scratch, **files), path)


class StoreContract:
    def test_a_written_file_reads_back_and_is_all_there_is(self, store):
        store.write_bytes("a/b/c.bin", b"\x00\xff text \n")
        assert store.read_bytes("a/b/c.bin") == b"\x00\xff text \n"
        assert store.list("a/b") == ["c.bin"]
        assert store._hidden("a/b") == []

    def test_writing_again_replaces_the_file(self, store):
        store.write_bytes("x.json", b"old, and longer")
        store.write_bytes("x.json", b"new")
        assert store.read_bytes("x.json") == b"new"

    def test_an_empty_file_can_be_written(self, store):
        store.write_bytes("empty", b"")
        assert store.exists("empty")
        assert store.read_bytes("empty") == b""

    def test_names_with_blanks_percents_and_umlauts(self, store):
        store.write_bytes("a b/50%20 ü.txt", b"1")
        assert store.list("a b") == ["50%20 ü.txt"]
        assert store.read_bytes("a b/50%20 ü.txt") == b"1"

    def test_exists_tells_files_and_folders_from_nothing(self, store):
        assert not store.exists("runs")
        store.write_bytes("runs/1/run.json", b"{}")
        assert store.exists("runs")
        assert store.exists("runs/1/run.json")
        assert not store.exists("runs/2/run.json")
        assert store.exists("")

    def test_list_is_sorted_and_leaves_hidden_names_out(self, store):
        for name in ("b", "a", "C", ".hidden"):
            store.write_bytes(f"f/{name}", b"")
        assert store.list("f") == ["C", "a", "b"]

    def test_files_are_all_below_a_folder_with_their_sizes_and_times(self, store):
        before = time.time()
        store.write_bytes("f/b", b"12")
        store.write_bytes("f/a/x", b"123")
        store.write_bytes("f/a.b", b"")
        store.write_bytes("f/a/.hidden", b"1")
        store.write_bytes("f/.hidden/x", b"1")
        files = store.files("f")
        assert {name: facts.size for name, facts in files.items()} == {"a.b": 0, "a/x": 3, "b": 2}
        assert list(files) == sorted(files)
        assert all(before - 2 <= facts.modified <= time.time() + 2 for facts in files.values())
        assert [*store.files("")] == ["f/a.b", "f/a/x", "f/b"]
        assert store.files("nothing") == store.files("f/b") == {}

    def test_list_of_nothing_is_empty(self, store):
        assert store.list("nowhere") == []
        assert store.list("nowhere/deeper") == []
        store.write_bytes("file", b"")
        assert store.list("file") == []
        assert not store.exists("file/below")

    def test_publish_puts_a_folder_in_its_place(self, store):
        publish_folder(store, "matrix/all/train", one="1", two="2")
        assert store.list("matrix/all/train") == ["one", "two"]
        assert store.read_bytes("matrix/all/train/two") == b"2"
        assert store._hidden("matrix/all") == []

    def test_publish_replaces_a_folder_whole(self, store):
        publish_folder(store, "train", old="1", both="1")
        publish_folder(store, "train", both="2", new="2")
        assert store.list("train") == ["both", "new"]
        assert store.read_bytes("train/both") == b"2"
        assert store._hidden("") == []

    def test_publish_a_file(self, store):
        with store.scratch() as scratch:
            (scratch / "f.csv").write_text("a,b\n")
            store.publish(scratch / "f.csv", "runs/f.csv")
        assert store.read_bytes("runs/f.csv") == b"a,b\n"

    def test_publish_a_folder_over_a_file(self, store):
        store.write_bytes("x", b"file")
        publish_folder(store, "x", inner="1")
        assert store.list("x") == ["inner"]

    def test_publish_a_file_over_a_folder(self, store):
        publish_folder(store, "x", inner="1")
        with store.scratch() as scratch:
            (scratch / "f").write_text("file")
            store.publish(scratch / "f", "x")
        assert store.read_bytes("x") == b"file"
        assert store._hidden("") == []

    def test_publish_what_is_not_there_leaves_the_old(self, store):
        publish_folder(store, "train", old="1")
        with store.scratch() as scratch, pytest.raises(StorageError, match=r"cannot write .*train"):
            store.publish(scratch / "missing", "train")
        assert store.list("train") == ["old"]
        assert store._hidden("") == []

    def test_create_gives_a_name_once(self, store):
        assert store.create("leases/a", b"one")
        assert not store.create("leases/a", b"two")
        assert store.read_bytes("leases/a") == b"one"
        assert store._hidden("leases") == []

    def test_create_says_when_a_folder_is_missing_for_good(self, store):
        store.write_bytes("a", b"")
        with pytest.raises(StorageError, match=r"cannot (make the folder|write) .*a.*: .*a file stands where"):
            store.create("a/b", b"")

    def test_fetch_gives_a_local_file(self, store):
        store.write_bytes("a/b.txt", b"1")
        assert store.fetch("a/b.txt").read_bytes() == b"1"

    def test_fetch_gives_a_local_folder(self, store):
        publish_folder(store, "train", one="1", two="2")
        folder = store.fetch("train")
        assert sorted(file.name for file in folder.iterdir()) == ["one", "two"]

    def test_a_file_is_copied_to_a_place(self, store, tmp_path):
        store.write_bytes("a/b.txt", b"12")
        place = tmp_path / "a place" / "50% ü"
        place.parent.mkdir()
        place.write_bytes(b"old, and longer")
        store.copy_file("a/b.txt", place)
        assert place.read_bytes() == b"12"
        assert [path.name for path in place.parent.iterdir()] == [place.name]
        with pytest.raises(StorageError, match=r"cannot find .*nothing; check the path"):
            store.copy_file("nothing", place)

    def test_fetch_of_nothing_says_what_is_missing(self, store):
        with pytest.raises(StorageError, match=r"cannot find .*nothing; check the path"):
            store.fetch("nothing")

    def test_read_of_nothing_says_what_is_missing(self, store):
        with pytest.raises(StorageError, match=r"cannot read .*nothing: .*; check the path"):
            store.read_bytes("nothing")

    def test_rename_moves_and_replaces(self, store):
        store.write_bytes("a/old", b"1")
        store.write_bytes("b/new", b"2")
        store.rename("a/old", "b/new")
        assert store.read_bytes("b/new") == b"1"
        assert store.list("a") == []
        publish_folder(store, "c", x="1")
        publish_folder(store, "d", y="1")
        store.rename("c", "d")
        assert store.list("d") == ["x"]

    def test_rename_of_nothing_keeps_the_target(self, store):
        store.write_bytes("b", b"2")
        with pytest.raises(StorageError, match=r"cannot rename .*a to .*b: it is not there"):
            store.rename("a", "b")
        assert store.read_bytes("b") == b"2"

    def test_delete_takes_files_folders_and_nothing(self, store):
        publish_folder(store, "train", one="1")
        store.write_bytes("x", b"")
        for path in ("train", "x", "never"):
            store.delete(path)
        assert store.list("") == []
        assert store._hidden("") == []

    def test_delete_of_the_whole_store_is_refused(self, store):
        with pytest.raises(StorageError, match="will not delete"):
            store.delete("")

    @pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd"])
    def test_paths_that_lead_out_are_refused(self, store, path):
        for action in (
            store.exists,
            store.read_bytes,
            store.list,
            store.fetch,
            store.delete,
            store.uri,
            store.open_log,
        ):
            with pytest.raises(StorageError, match="leads out of its folder"):
                action(path)
        with pytest.raises(StorageError, match="leads out of its folder"):
            store.write_bytes(path, b"")

    @pytest.mark.parametrize("look", ["exists", "list", "read", "fetch"])
    def test_a_folder_left_aside_by_a_crash_is_found_again(self, store, look):
        publish_folder(store, "matrix/train", one="1")
        store._move("matrix/train", "matrix/.train.old-0123abcd")  # killed right here
        if look == "exists":
            assert store.exists("matrix/train/one")
        elif look == "list":
            assert store.list("matrix/train") == ["one"]
        elif look == "read":
            assert store.read_bytes("matrix/train/one") == b"1"
        else:
            assert [file.name for file in store.fetch("matrix/train").iterdir()] == ["one"]
        assert store._hidden("matrix") == []

    def test_a_folder_left_beside_by_a_crash_does_not_come_back(self, store):
        publish_folder(store, "train", old="1")
        store._move("train", ".train.old-0123abcd")
        publish_folder(store, "train", new="1")  # the crash came after this move, before the old one was deleted
        publish_folder(store, ".train.old-0123abcd", old="1")
        store.delete("train")
        assert not store.exists("train")

    def test_a_write_below_a_folder_left_aside_keeps_what_it_held(self, store):
        publish_folder(store, "run", one="1")
        store._move("run", ".run.old-0123abcd")
        store.write_bytes("run/two", b"2")
        assert store.list("run") == ["one", "two"]

    def test_a_folder_that_comes_back_each_time_is_reported(self, store, monkeypatch):
        publish_folder(store, "train", old="1")
        monkeypatch.setattr(type(store), "_move", lambda self, source, target: False)
        with store.scratch() as scratch:
            folder = build_folder(scratch, new="1")
            with pytest.raises(StorageError, match=r"cannot replace .*train: it comes back"):
                store.publish(folder, "train")
        assert store.list("train") == ["old"]

    def test_a_file_where_a_folder_is_needed(self, store):
        store.write_bytes("a", b"")
        with pytest.raises(StorageError, match=r"cannot (make the folder|write) .*a.*: .*a file stands where"):
            store.write_bytes("a/b", b"")

    def test_scratch_goes_with_its_block(self, store):
        with store.scratch() as scratch:
            assert scratch.is_dir()
            (scratch / "junk").write_text("x")
            assert store.list("") == []
        assert not scratch.exists()

    def test_scratch_goes_with_a_failure_too(self, store):
        with pytest.raises(KeyError), store.scratch() as scratch:
            raise KeyError
        assert not scratch.exists()


class LogContract:
    """What a file that grows must do, on a store that has such."""

    def test_a_log_grows_and_others_see_each_append_before_it_is_closed(self, store):
        log = store.open_log("ledger/segments/x.jsonl")
        assert log is not None
        for line in (b"one\n", b"two\xff\n", b""):
            log.append(line)
        assert store.read_bytes("ledger/segments/x.jsonl") == b"one\ntwo\xff\n"
        log.append(b"three\n")
        log.close()
        log.close()
        assert store.read_bytes("ledger/segments/x.jsonl") == b"one\ntwo\xff\nthree\n"
        assert store.list("ledger/segments") == ["x.jsonl"]

    def test_a_log_does_not_touch_what_is_there(self, store):
        store.write_bytes("x", b"old")
        with pytest.raises(StorageError, match=r"cannot write .*x: "):
            store.open_log("x")
        assert store.read_bytes("x") == b"old"

    def test_a_closed_log_takes_no_more(self, store):
        log = store.open_log("x")
        log.close()
        with pytest.raises(StorageError, match=r"cannot write .*x: it is closed"):
            log.append(b"more")
        assert store.read_bytes("x") == b""

    def test_a_log_where_a_folder_cannot_be_made(self, store):
        store.write_bytes("a", b"")
        with pytest.raises(StorageError, match=r"cannot (make the folder|write) .*a.*: .*a file stands where"):
            store.open_log("a/b")
