"""A ledger to look into."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from sparksweep.search.ledger import open_ledger
from sparksweep.search.ledger.segments import iterate_segments
from sparksweep.storage import LocalStore


@dataclass
class LedgerRecords:
    """A ledger's folder, and every record in it, superseded ones included."""

    folder: Path

    def all(self):
        return [record for segment in iterate_segments(LocalStore(self.folder)) for record in segment.records]

    def merged(self):
        return open_ledger(self.folder).read().records


@pytest.fixture
def ledger_records(tmp_path):
    return LedgerRecords(tmp_path / "ledger")
