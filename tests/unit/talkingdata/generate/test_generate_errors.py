"""Every failure of the generator: one line, and nothing half-done."""

from __future__ import annotations

import os
import resource

import pytest

from sparksweep.errors import StorageError, UsageError
from sparksweep.talkingdata.generate import generate

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf"), 0.0009, 10.5])
def test_a_scale_out_of_range_is_refused_before_anything_is_made(tmp_path, scale):
    with pytest.raises(UsageError, match=rf"^scale: {scale} is not between 0.001 and 10; 1 makes .* a good start$"):
        generate(tmp_path / "out", scale)
    assert not (tmp_path / "out").exists()


def test_a_negative_seed_is_refused(tmp_path):
    with pytest.raises(UsageError, match=r"^seed: -1 is negative; use 0 or any whole number above it$"):
        generate(tmp_path / "out", 0.001, seed=-1)
    assert not (tmp_path / "out").exists()


def test_a_file_in_place_of_the_folder(tmp_path):
    out = tmp_path / "out"
    out.write_text("mine")
    with pytest.raises(StorageError, match=r"out: cannot write the data set: File exists; free space or name another"):
        generate(out, 0.001)
    assert out.read_text() == "mine"


def test_a_folder_below_a_file(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StorageError, match=r"file/out: cannot write the data set: Not a directory; "):
        generate(tmp_path / "file" / "out", 0.001)


def test_no_permission(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "mkdir", refuse)  # root may write anywhere, so the bits of a folder would not do
    with pytest.raises(StorageError, match=r"out: cannot write the data set: Permission denied; "):
        generate(tmp_path / "out", 0.001)


def test_a_full_disk_leaves_the_old_files_and_nothing_else(tmp_path):
    before = {path.name: path.read_bytes() for path in generate(tmp_path, 0.001, seed=1)}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # app_events needs more: a true error of the system
    try:
        with pytest.raises(
            StorageError, match=r"cannot write the data set: File too large; free space or name"
        ) as caught:
            generate(tmp_path, 0.001, seed=2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
