"""What an ingest read, dropped and found, as it is shown and as ``tables/ingest.json`` keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sparksweep.errors import StorageError
from sparksweep.storage import Store

__all__ = ["IngestReport", "TableReport", "read_report", "report_path"]

_FORMAT = 1


@dataclass(frozen=True)
class TableReport:
    """Counts of one table; ``rows_read = rows + duplicates_dropped + rejected``.

    Attributes
    ----------
    name : str
        The table.
    rows_read : int
        Rows in the file.
    duplicates_dropped : int
        Rows equal to an earlier one, in a table whose schema drops them.
    rejected : int
        Rows left out because they do not fit the schema. Such a row ends the ingest, so this is 0 in a finished one.
    rows : int
        Rows of the table.
    """

    name: str
    rows_read: int
    duplicates_dropped: int
    rejected: int
    rows: int


@dataclass(frozen=True)
class IngestReport:
    """One finished ingest.

    Attributes
    ----------
    source : str
        Folder of the archives.
    fingerprint : dict
        Member, size and CRC of each archive, by table (`sparksweep.ingest.source_fingerprint`).
    tables : tuple of TableReport
        In the order of the schemas.
    warnings : tuple of str
        What is odd in the data, a line each.
    """

    source: str
    fingerprint: dict[str, Any]
    tables: tuple[TableReport, ...]
    warnings: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return the report as text: a heading, a line a table, the warnings."""
        width = max(len(table.name) for table in self.tables)
        heading = f"{'table':{width}} {'rows read':>12} {'duplicates':>12} {'rejected':>10} {'rows':>12}"
        rows = [
            f"{table.name:{width}} {table.rows_read:>12,} {table.duplicates_dropped:>12,} "
            f"{table.rejected:>10,} {table.rows:>12,}"
            for table in self.tables
        ]
        return [heading, *rows, *(f"warning: {warning}" for warning in self.warnings)]

    def to_json(self) -> str:
        """Return the report as JSON text."""
        return json.dumps({"format": _FORMAT, **asdict(self)}, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> IngestReport:
        """Read what `to_json` wrote; ValueError, KeyError or TypeError for anything else."""
        content: Mapping[str, Any] = json.loads(text)
        if content["format"] != _FORMAT:
            raise ValueError(f"format {content['format']!r} of another version")
        tables = tuple(TableReport(**table) for table in content["tables"])
        return cls(content["source"], dict(content["fingerprint"]), tables, tuple(content["warnings"]))


def report_path(folder: str) -> str:
    """Return where in a store the report of the tables in `folder` is."""
    return f"{folder}/ingest.json"


def read_report(store: Store, folder: str = "tables") -> IngestReport | None:
    """Return the report of the tables in a store, None when no ingest was finished there.

    Raises
    ------
    StorageError
        The report cannot be read, or is damaged.
    """
    path = report_path(folder)
    if not store.exists(path):
        return None
    try:
        return IngestReport.from_json(store.read_bytes(path))
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{store.shown(path)}: not a report of ours ({error}); ingest anew with --rebuild"
        ) from error
