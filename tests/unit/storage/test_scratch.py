"""Folders for files on the way, and what of them is swept after kills."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import tempfile
import time

import pytest

from sparksweep.storage import LocalStore, scratch
from sparksweep.storage.scratch import scratch_folder

LONG_AGO = time.time() - scratch.ABANDONED - 60


@pytest.fixture(autouse=True)
def parent(tmp_path, monkeypatch):
    """A place for temporary files of the test's own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def aged(folder):
    """Make a folder old, with a file in it."""
    folder.mkdir(exist_ok=True)
    (folder / "copy").write_text("x")
    os.utime(folder, (LONG_AGO, LONG_AGO))
    return folder


def test_it_goes_with_its_block(parent):
    with scratch_folder() as folder:
        assert folder.parent == parent
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "x").write_text("x")
    assert list(parent.iterdir()) == []


def test_what_a_killed_process_left_is_swept_when_it_is_old(parent):
    code = (
        "import os, signal, sys, tempfile; tempfile.tempdir = sys.argv[1]\n"
        "from sparksweep.storage.scratch import scratch_folder\n"
        "with scratch_folder(): os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(parent)]).returncode == -signal.SIGKILL
    (left,) = parent.iterdir()
    with scratch_folder():
        assert left.exists()
        aged(left)
        with scratch_folder():
            assert not left.exists()


def test_what_a_live_process_holds_is_not_swept_however_old(parent):
    with scratch_folder() as folder:
        aged(folder)
        with scratch_folder():
            assert (folder / "copy").exists()


def test_without_locks_the_age_alone_tells(parent, monkeypatch):
    def no_locks(number, lock):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(scratch.fcntl, "flock", no_locks)
    old = aged(parent / f"{scratch.PREFIX}1")
    with scratch_folder() as folder:
        assert folder.exists()
        assert not old.exists()


def test_nothing_else_is_swept(parent):
    """Not a search's data on this node, nor where a link of such a name leads to."""
    others = [aged(parent / name) for name in ("sparksweep-0", "elsewhere")]
    (parent / f"{scratch.PREFIX}link").symlink_to(parent / "elsewhere")
    os.utime(parent / f"{scratch.PREFIX}link", (LONG_AGO, LONG_AGO), follow_symlinks=False)
    with scratch_folder():
        pass
    assert all((other / "copy").exists() for other in others)


def test_a_local_store_sweeps_its_own(tmp_path):
    store = LocalStore(tmp_path / "work")
    store.write_bytes("x", b"")
    old, new = tmp_path / "work" / ".scratch-old", tmp_path / "work" / ".scratch-new"
    aged(old)
    new.mkdir()
    with store.scratch() as own:
        assert (old.exists(), new.exists()) == (False, True)
        aged(own)
        with store.scratch():
            assert own.exists(), "whose process lives"
