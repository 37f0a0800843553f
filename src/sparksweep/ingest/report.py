"""What an ingest read, dropped and found, as it is shown and as ``tables/ingest.json`` keeps it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sparksweep.errors import DataError, StorageError
from sparksweep.storage import Store

__all__ = ["IngestReport", "TableReport", "read_report", "report_path", "strict_error"]

_FORMAT = 3
_FIRST_TIME = 8  # of the columns shown; those between the table's name and the times are numbers


@dataclass(frozen=True)
class TableReport:
    """What was found in one table; ``rows_read = rows + duplicates_dropped + rejected``.

    Attributes
    ----------
    name : str
        The table.
    rows_read : int
        Rows in the file.
    duplicates_dropped : int
        Rows equal to an earlier one, in a table whose schema drops them.
    rejected : int
        Rows left out because they do not fit the schema.
    rows : int
        Rows of the table.
    distinct_keys : int or None
        Different keys among them; None for a table without a key.
    orphans : dict of str to int
        By referring column, rows read whose value is in none of the tables it refers to.
    empty : dict of str to int
        By column, rows read that have no value; columns without such rows are left out.
    placeholders : dict of str to int
        By column, or columns, rows with what stands for none there.
    first, last : str or None
        Earliest and latest time, ``YYYY-MM-DD hh:mm:ss`` as in the file.
    spans : dict of str to (int, int)
        Lowest and highest value of the first key column, and of times in microseconds.
    keys_proved : bool
        That no key occurs twice was seen while the file was read.
    """

    name: str
    rows_read: int
    duplicates_dropped: int
    rejected: int
    rows: int
    distinct_keys: int | None = None
    orphans: dict[str, int] = field(default_factory=dict)
    empty: dict[str, int] = field(default_factory=dict)
    placeholders: dict[str, int] = field(default_factory=dict)
    first: str | None = None
    last: str | None = None
    spans: dict[str, tuple[int, int]] = field(default_factory=dict)
    keys_proved: bool = False


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
        heading = (
            "table",
            "rows read",
            "duplicates",
            "rejected",
            "rows",
            "distinct keys",
            "orphans",
            "empty",
            "from",
            "to",
        )
        lines = [heading, *(_cells(table) for table in self.tables)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        texts = (
            "  ".join(
                cell.rjust(width) if 0 < place < _FIRST_TIME else cell.ljust(width)
                for place, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in lines
        )
        return [*(text.rstrip() for text in texts), *(f"warning: {warning}" for warning in self.warnings)]

    def to_json(self) -> str:
        """Return the report as JSON text."""
        return json.dumps({"format": _FORMAT, **asdict(self)}, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> IngestReport:
        """Read what `to_json` wrote; ValueError, KeyError or TypeError for anything else."""
        content: Mapping[str, Any] = json.loads(text)
        if content["format"] != _FORMAT:
            raise ValueError(f"format {content['format']!r} of another version")
        tables = tuple(
            TableReport(**{**table, "spans": {name: (low, high) for name, (low, high) in table["spans"].items()}})
            for table in content["tables"]
        )
        return cls(content["source"], dict(content["fingerprint"]), tables, tuple(content["warnings"]))


def _cells(table: TableReport) -> tuple[str, ...]:
    counts = (table.rows_read, table.duplicates_dropped, table.rejected, table.rows)
    keys = "" if table.distinct_keys is None else f"{table.distinct_keys:,}"
    orphans = f"{sum(table.orphans.values()):,}" if table.orphans else ""
    empty = f"{sum(table.empty.values()):,}"
    return (table.name, *(f"{count:,}" for count in counts), keys, orphans, empty, table.first or "", table.last or "")


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


def strict_error(warnings: Sequence[str]) -> DataError:
    """Return warnings as an error, a line each; what is done about them otherwise is not done, and left out."""
    return DataError("\n".join(line.partition("; ")[0] for line in warnings))
