"""Where files are written before they are whole and get their names."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from sparksweep.storage.store import Store

__all__ = ["draft"]

DRAFTS = ".drafts"


@contextmanager
def draft(store: Store, folder: str) -> Iterator[str]:
    """Give the path of a hidden folder of one's own below another, to be made; it is deleted at the end.

    What killed processes left there goes first. Only one process may make something in `folder` at a time; one that
    was taken for dead and wakes up finds its draft gone, and touches no other's.

    Parameters
    ----------
    store : Store
        Gets it.
    folder : str
        Folder in the store.
    """
    parent = f"{folder}/{DRAFTS}"
    store.delete(parent)
    path = f"{parent}/{uuid.uuid4().hex}"
    try:
        yield path
    finally:
        store.delete(path)
        if not store.list(parent):
            store.delete(parent)
