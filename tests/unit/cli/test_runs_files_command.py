"""``sparksweep runs files``: what a run left, as a list and as copies."""

from __future__ import annotations

import json
import os
import re
import time

import pytest

from sparksweep.cli import main
from sparksweep.pipeline import run_files
from sparksweep.storage import LocalStore

RUN = "20261123T224100Z-0a1b2c3d"


@pytest.fixture
def workspace(tmp_path):
    store = LocalStore(tmp_path / "workspace")
    for name, text in {
        "run.json": json.dumps({"run_id": RUN, "status": "complete"}),
        "report.html": "<html>",
        "model/model.ubj": "12345",
        "model/.hidden": "",
    }.items():
        store.write_bytes(f"runs/{RUN}/{name}", text.encode())
    return tmp_path / "workspace"


def files(workspace, *arguments):
    return main(["runs", "files", RUN, "--workspace", str(workspace), *map(str, arguments)])


def test_files_are_listed_with_their_bytes(workspace, capsys):
    assert files(workspace) == 0
    assert capsys.readouterr().out.splitlines() == [
        "file             bytes",
        "model/model.ubj  5",
        "report.html      6",
        "run.json         61",
        f"3 files, 72 bytes in {workspace}/runs/{RUN}",
    ]


def test_files_and_folders_can_be_named(workspace, capsys):
    assert files(workspace, "model", "run.json") == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:-1]] == ["model/model.ubj", "run.json"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["report.htm"], "has no file 'report.htm'; did you mean 'report.html'?"),
        (["mod"], "has no file 'mod'"),
        (["model/.hidden"], "has no file 'model/.hidden'"),
    ],
)
def test_a_file_that_is_not_there(workspace, capsys, arguments, told):
    assert files(workspace, *arguments) == 2
    assert told in capsys.readouterr().err


def test_an_unknown_run(workspace, capsys):
    assert main(["runs", "files", "2026", "--workspace", str(workspace)]) == 2
    assert "no run '2026'" in capsys.readouterr().err


def test_copies_are_made_once(workspace, tmp_path, capsys):
    copies = tmp_path / "a" / "copies"
    assert files(workspace, "--download", copies) == 0
    *lines, pace, last = capsys.readouterr().out.splitlines()
    assert lines == [
        f"{copies}/model/model.ubj: 5 bytes",
        f"{copies}/report.html: 6 bytes",
        f"{copies}/run.json: 61 bytes",
    ]
    assert re.fullmatch(r"download: 0\.0 of 0\.0 MB, \d\.\d MB/s", pace)
    assert last == f"3 files of run {RUN} in {copies}"
    assert sorted(path.relative_to(copies).as_posix() for path in copies.rglob("*") if path.is_file()) == [
        "model/model.ubj",
        "report.html",
        "run.json",
    ]
    assert (copies / "model" / "model.ubj").read_text() == "12345"
    assert files(workspace, "--download", copies) == 0
    assert capsys.readouterr().out == f"3 files of run {RUN} in {copies}, 3 of them were there\n"


def test_how_far_a_copy_is_while_it_is_made(workspace, tmp_path, monkeypatch):
    monkeypatch.setattr(run_files, "WATCH_SECONDS", 0.01)
    told, copies = [], tmp_path / "copies"
    run_files.download_files(str(workspace), RUN, ["report.html"], copies, lambda line: None, lambda now: None)

    def copy_slowly(store, path, place):
        data = store.read_bytes(path)
        place.write_bytes(data[:2])
        while not told or told[-1].moved != 2:
            time.sleep(0.001)
        place.write_bytes(data)

    monkeypatch.setattr(LocalStore, "copy_file", copy_slowly)
    run_files.download_files(str(workspace), RUN, ["model", "report.html"], copies, lambda line: None, told.append)
    assert (8, 11, 2) in [(now.done, now.total, now.moved) for now in told], "a file of 6 bytes is there already"
    assert (told[-1].done, told[-1].total, told[-1].moved) == (11, 11, 5)
    assert 0 < told[0].seconds < told[-1].seconds


@pytest.mark.slow
@pytest.mark.parametrize("spoil", ["shorter", "changed since", "begun"])
def test_a_copy_that_is_not_the_file_is_made_again(workspace, tmp_path, capsys, spoil):
    copies = tmp_path / "copies"
    assert files(workspace, "report.html", "--download", copies) == 0
    copy = copies / "report.html"
    if spoil == "shorter":
        copy.write_text("<ht")
    elif spoil == "begun":  # killed in the middle
        copy.rename(copies / ".report.html.new")
    else:
        LocalStore(workspace).write_bytes(f"runs/{RUN}/report.html", b"<HTML>")
        os.utime(workspace / "runs" / RUN / "report.html", (2e9, 2e9))
    assert files(workspace, "report.html", "--download", copies) == 0
    assert copy.read_bytes() == (workspace / "runs" / RUN / "report.html").read_bytes()
    assert [path.name for path in copies.iterdir()] == ["report.html"]


def test_a_file_is_copied_once_only(workspace, tmp_path, monkeypatch):
    """What is fetched from a remote store lies in this machine's scratch until the end."""
    monkeypatch.delattr(LocalStore, "fetch")
    monkeypatch.setattr(LocalStore, "copy_file", lambda self, path, place: place.write_bytes(self.read_bytes(path)))
    assert files(workspace, "model", "--download", tmp_path / "copies") == 0
    assert (tmp_path / "copies" / "model" / "model.ubj").read_text() == "12345"


def test_a_folder_that_cannot_be_written(workspace, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert files(workspace, "--download", tmp_path / "file") == 1
    told = capsys.readouterr().err
    assert told.startswith(f"sparksweep: error: cannot write {tmp_path}/file/model/model.ubj: ")
    assert told.count("\n") == 1
