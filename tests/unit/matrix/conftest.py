"""Fixtures for the tests of matrices."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    """Let the disk take its time: that a write is flushed is tested where the stores are."""
    monkeypatch.setattr(os, "fsync", lambda number: None)
