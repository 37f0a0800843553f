from __future__ import annotations

import pytest

from sparksweep.errors import ArchiveError, StorageError, UsageError
from sparksweep.ingest import Column, TableSchema
from sparksweep.ingest.source import LocalFile, find_archives, local_source, open_source

SCHEMAS = [TableSchema(name, (Column("id", "int64"),)) for name in ("events", "app_events")]


@pytest.fixture
def folder(tmp_path):
    for name in ("events.csv.zip", "app_events.csv.zip"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_each_table_has_its_archive(folder):
    (folder / "sample_submission.csv.zip").write_bytes(b"")
    (folder / "events.csv").write_bytes(b"")
    (folder / "._events.csv.zip").write_bytes(b"")
    assert find_archives(open_source(folder), SCHEMAS) == {
        "events": LocalFile(f"{folder}/events.csv.zip"),
        "app_events": LocalFile(f"{folder}/app_events.csv.zip"),
    }


def test_source_can_be_a_file_uri(folder):
    """Read as a workspace's is: a # or a % in it is part of the name."""
    folder = folder.rename(folder.with_name("100% #1"))
    for uri in (f"file://{folder}", f"file:{folder}"):
        archives = find_archives(open_source(uri), SCHEMAS)
        assert str(archives["events"]) == f"{folder}/events.csv.zip"
        with archives["events"].open() as stream:
            assert stream.read() == b""


def test_relative_source_becomes_absolute(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    archives = find_archives(open_source(folder.name), SCHEMAS)
    assert str(archives["events"]) == f"{folder}/events.csv.zip"


def test_all_missing_archives_are_named_at_once(tmp_path):
    with pytest.raises(ArchiveError, match=r"events\.csv\.zip, app_events\.csv\.zip missing; put them there"):
        find_archives(open_source(tmp_path), SCHEMAS)


@pytest.mark.parametrize("name", ["Events.csv.zip", "events.zip", "events.csv (1).zip"])
def test_archive_under_nearly_its_name_is_pointed_out(folder, name):
    (folder / "events.csv.zip").rename(folder / name)
    with pytest.raises(ArchiveError) as caught:
        find_archives(open_source(folder), SCHEMAS)
    assert str(caught.value) == f"{folder}: events.csv.zip missing; rename {name!r} to events.csv.zip"


@pytest.mark.parametrize(
    "name", ["EVENTS.csv.zip", "events.zip", "events.csv (1).zip", "events (2).csv.zip", "events.csv - Copy.zip"]
)
def test_two_files_of_one_table(folder, name):
    (folder / name).write_bytes(b"")
    with pytest.raises(ArchiveError) as caught:
        find_archives(open_source(folder), SCHEMAS)
    assert "are all table events; keep one, named events.csv.zip" in str(caught.value)
    assert repr(name) in str(caught.value)


def test_no_such_folder(tmp_path):
    with pytest.raises(UsageError, match=r"absent: no such folder; data\.source must name the folder"):
        open_source(str(tmp_path / "absent")).files()


def test_a_file_is_no_folder(folder):
    with pytest.raises(UsageError, match="no such folder"):
        open_source(str(folder / "events.csv.zip")).files()


def test_folder_that_cannot_be_listed(folder, monkeypatch):
    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.iterdir", refuse)
    with pytest.raises(StorageError, match=r"cannot read .*: Permission denied; change its permissions"):
        open_source(str(folder)).files()


def test_file_that_cannot_be_opened(tmp_path):
    with pytest.raises(StorageError, match=r"cannot read .*gone\.zip: No such file or directory; check the path"):
        LocalFile(str(tmp_path / "gone.zip")).open()


def test_source_of_an_unknown_kind():
    with pytest.raises(
        UsageError, match="s3://bucket: cannot be read from there; give a folder that every executor sees"
    ):
        open_source("s3://bucket")


def test_a_single_file_is_not_read_from_blobs():
    with pytest.raises(UsageError) as caught:
        local_source("https://acme.blob.core.windows.net/raw/x.npz?sig=topsecret")
    assert "only archives of tables are read from blobs; copy the file here" in str(caught.value)
    assert "topsecret" not in str(caught.value)


def test_an_address_without_its_scheme_shows_no_signature():
    """It is taken for a path."""
    with pytest.raises(UsageError, match="no such folder") as caught:
        open_source("acme.blob.core.windows.net/raw?sv=2026-04-06&sig=SIGNATURE").files()
    assert "acme.blob.core.windows.net/raw" in str(caught.value)
    assert "SIGNATURE" not in str(caught.value)


def test_a_source_is_itself(folder):
    source = open_source(folder)
    assert open_source(source) is source
