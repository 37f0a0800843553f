"""The same seed gives the same bytes; a second run replaces the first."""

from __future__ import annotations

import os
import zipfile

import pytest

from sparksweep.talkingdata.generate import TABLES, app_events, generate

pytestmark = pytest.mark.slow

SCALE = 0.002


def contents(paths):
    return {path.name: path.read_bytes() for path in paths}


def test_the_same_seed_gives_the_same_bytes(tmp_path, archives):
    assert contents(generate(tmp_path, SCALE, seed=7)) == contents(archives)


def test_the_bytes_do_not_depend_on_the_number_of_threads(tmp_path, monkeypatch):
    monkeypatch.setattr(app_events, "CHUNK", 100)  # some 15 chunks
    made = {}
    for processors in (1, 4):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid, n=processors: set(range(n)), raising=False)
        made[processors] = contents(generate(tmp_path / str(processors), 0.001, seed=7))
    assert made[1] == made[4]


def test_another_seed_gives_other_bytes_in_every_drawn_table(tmp_path, archives):
    others = contents(generate(tmp_path, SCALE, seed=8))
    same = [name for name, data in contents(archives).items() if others[name] == data]
    assert same == ["label_categories.csv.zip"]


def test_a_second_run_replaces_all_files_and_leaves_nothing_else(tmp_path):
    first = contents(generate(tmp_path, 0.001, seed=1))
    second = contents(generate(tmp_path, 0.001, seed=2))
    assert first.keys() == second.keys() == {path.name for path in tmp_path.iterdir()}
    assert contents(sorted(tmp_path.iterdir())) == second


def test_progress_names_each_archive_once(tmp_path):
    lines = []
    paths = generate(tmp_path / "new" / "folder", 0.001, seed=0, on_progress=lines.append)
    assert sorted(line.split(":")[0] for line in lines) == sorted(path.name for path in paths)
    assert all(line.endswith(" MB") for line in lines)


def test_many_chunks_are_joined_in_order(tmp_path, text, monkeypatch):
    monkeypatch.setattr(app_events, "CHUNK", 300)
    path = generate(tmp_path, SCALE, seed=7)[TABLES.index("app_events")]
    with zipfile.ZipFile(path) as archive:
        rows = archive.read("app_events.csv").decode().splitlines()
    # Which apps are shown is drawn chunk by chunk, so only the events are the same.
    assert [row.split(",")[0] for row in rows] == [row.split(",")[0] for row in text["app_events"].splitlines()]
