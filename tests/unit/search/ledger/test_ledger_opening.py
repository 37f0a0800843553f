"""What can be opened as a ledger."""

from __future__ import annotations

import pytest

from sparksweep.errors import UsageError
from sparksweep.search.ledger import open_ledger
from sparksweep.storage import LocalStore


def test_a_path_a_uri_a_store_and_a_ledger_are_one_ledger(tmp_path):
    ledger = open_ledger(tmp_path)
    assert open_ledger(ledger) is ledger
    others = [open_ledger(place) for place in (str(tmp_path), f"file://{tmp_path}", LocalStore(tmp_path))]
    assert {other.uri for other in others} == {ledger.uri}


@pytest.mark.parametrize("place", [7, None, object])
def test_anything_else_is_refused(place):
    with pytest.raises(UsageError, match="a ledger is a folder's path or URI, got"):
        open_ledger(place)
