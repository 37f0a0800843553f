"""A source folder and a store for one test."""

from __future__ import annotations

import zipfile

import pytest

from sparksweep.storage import open_store


@pytest.fixture
def source(tmp_path):
    """Return an empty folder with a function ``add(name, text)`` that puts an archive there."""
    folder = tmp_path / "raw"
    folder.mkdir()
    return folder


@pytest.fixture
def add(source):
    def add_archive(name, text):
        path = source / f"{name}.csv.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{name}.csv", text)
        return path

    return add_archive


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "workspace"))
