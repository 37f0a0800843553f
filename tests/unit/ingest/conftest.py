"""Small archives written on the spot."""

from __future__ import annotations

import zipfile

import pytest

from sparksweep.ingest.source import LocalFile


@pytest.fixture
def make_zip(tmp_path):
    """Return a function that writes ``NAME.csv.zip`` with one or several members and returns it as a source's file."""

    def make(name="events", text="", members=None, compression=zipfile.ZIP_DEFLATED):
        path = tmp_path / f"{name}.csv.zip"
        with zipfile.ZipFile(path, "w", compression) as archive:
            for member, content in members or [(f"{name}.csv", text)]:
                archive.writestr(member, content)
        return LocalFile(str(path))

    return make
