"""A store on wasb: the contract of stores through Hadoop's own file system, against Azurite."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from sparksweep.storage.hadoop import HadoopStore

pytestmark = pytest.mark.spark

CONTRACT = Path(__file__).parents[1] / "unit" / "storage" / "store_contract.py"
SPEC = importlib.util.spec_from_file_location("store_contract_wasb", CONTRACT)
contract = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(contract)


@pytest.fixture
def store(wasb):
    return HadoopStore(wasb)


class TestWasbStore(contract.StoreContract):
    """The contract on wasb."""
