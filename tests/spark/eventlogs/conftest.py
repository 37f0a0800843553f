from __future__ import annotations

import pytest

from sparksweep.storage import open_store


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "workspace"))
