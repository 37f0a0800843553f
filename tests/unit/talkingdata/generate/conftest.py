"""One small generated data set, read back as text and as frames."""

from __future__ import annotations

import io
import zipfile

import pandas as pd
import pytest

from sparksweep.talkingdata.generate import TABLES, generate
from sparksweep.talkingdata.generate.sizes import sizes_at

SCALE = 0.002


@pytest.fixture(scope="session")
def sizes():
    return sizes_at(SCALE)


@pytest.fixture(scope="session")
def archives(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("generated"), SCALE, seed=7)


@pytest.fixture(scope="session")
def text(archives):
    """The member of each table, as text."""
    members = {}
    for name, path in zip(TABLES, archives, strict=True):
        with zipfile.ZipFile(path) as archive:
            members[name] = archive.read(f"{name}.csv").decode("utf-8")
    return members


@pytest.fixture(scope="session")
def tables(text):
    """Each table as a frame; empty cells stay empty texts."""
    return {name: pd.read_csv(io.StringIO(member), keep_default_na=False) for name, member in text.items()}
