"""Which store a path or URI opens."""

from __future__ import annotations

import pytest

from sparksweep.errors import SessionError, StorageError, UsageError
from sparksweep.storage import LocalStore, open_store


@pytest.mark.parametrize(
    ("uri", "root"),
    [
        ("/data/ws", "/data/ws"),
        ("/data/ws/", "/data/ws"),
        ("file:/data/ws", "/data/ws"),
        ("file:///data/my ws", "/data/my ws"),
        ("file:///data/50%25", "/data/50%25"),
        ("file://localhost/data/ws", "/data/ws"),
        ("FILE:///data/ws", "/data/ws"),
        ("/data/a:b", "/data/a:b"),
    ],
)
def test_local_paths(uri, root):
    store = open_store(uri)
    assert isinstance(store, LocalStore)
    assert store.root == root


def test_a_relative_path_is_below_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert open_store("ws").root == str(tmp_path / "ws")


def test_what_uri_gives_opens_the_same_folder(tmp_path):
    store = LocalStore(tmp_path / "50% of ü")
    assert open_store(store.uri("")).root == store.root


def test_file_uri_of_another_host():
    with pytest.raises(StorageError, match=r"names the host 'data'; a local folder is file:///ws \(three slashes\)"):
        open_store("file://data/ws")


def test_web_address():
    with pytest.raises(StorageError, match=r"https://a\.blob.*cannot be written to; give it as wasbs:// or abfss://"):
        open_store("https://a.blob.core.windows.net/c")


@pytest.mark.parametrize("uri", ["wasbs://ws@acme.blob.core.windows.net/k", "https://acme.blob.core.windows.net/ws"])
def test_a_sas_is_neither_taken_nor_shown(uri):
    with pytest.raises((UsageError, StorageError)) as caught:
        open_store(f"{uri}?sv=1&sig=topsecret")
    assert "sig=***" in str(caught.value)
    assert "topsecret" not in str(caught.value)


def test_without_a_session_a_remote_uri_says_so(monkeypatch):
    hadoop = pytest.importorskip("sparksweep.storage.hadoop")
    monkeypatch.setattr(hadoop, "active_session", lambda: None)
    with pytest.raises(SessionError, match="hdfs:///ws is reached through Spark, and no session is running"):
        open_store("hdfs:///ws")
