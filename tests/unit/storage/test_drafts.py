"""Folders for what is not whole yet: one's own, hidden, gone at the end, and no other's."""

from __future__ import annotations

import pytest

from sparksweep.errors import StorageError
from sparksweep.storage import LocalStore
from sparksweep.storage.drafts import draft


@pytest.fixture
def store(tmp_path):
    return LocalStore(tmp_path)


def test_it_is_hidden_and_goes_at_the_end(store):
    with draft(store, "tables") as path:
        store.write_bytes(f"{path}/part", b"half")
        assert store.list("tables") == []
    assert not store.exists("tables/.drafts")


def test_it_goes_when_something_fails(store):
    with pytest.raises(StorageError, match="never"), draft(store, "tables") as path:
        store.rename(f"{path}/never", "tables/never")
    assert not store.exists("tables/.drafts")


def test_what_a_killed_process_left_goes_first(store):
    store.write_bytes("tables/.drafts/earlier/part", b"half")
    with draft(store, "tables") as path:
        assert not store.exists("tables/.drafts/earlier")
        store.write_bytes(f"{path}/part", b"half")
        assert store.exists(f"{path}/part")


def test_one_that_was_taken_for_dead_touches_no_other(store):
    with draft(store, "tables") as paused:
        store.write_bytes(f"{paused}/part", b"half")
        successor = draft(store, "tables")
        path = successor.__enter__()
        store.write_bytes(f"{path}/part", b"its own")
        assert not store.exists(paused)
    assert store.read_bytes(f"{path}/part") == b"its own"
    successor.__exit__(None, None, None)
    assert not store.exists("tables/.drafts")
