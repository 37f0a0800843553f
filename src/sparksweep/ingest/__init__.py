"""Raw zips to typed Parquet tables; knows schemas, not any one data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparksweep.lazy_names import lazy_names

if TYPE_CHECKING:
    from sparksweep.ingest.report import IngestReport, TableReport, read_report, strict_error
    from sparksweep.ingest.schema import LINE, Column, Placeholders, Reference, TableSchema
    from sparksweep.ingest.source import Source, local_source, open_source
    from sparksweep.ingest.stored_tables import Tables, read_tables
    from sparksweep.ingest.tables import changed_tables, checked_tables, ingest_tables, source_fingerprint

__all__ = [
    "LINE",
    "Column",
    "IngestReport",
    "Placeholders",
    "Reference",
    "Source",
    "TableReport",
    "TableSchema",
    "Tables",
    "changed_tables",
    "checked_tables",
    "ingest_tables",
    "local_source",
    "open_source",
    "read_report",
    "read_tables",
    "source_fingerprint",
    "strict_error",
]

__getattr__ = lazy_names(
    __name__,
    {
        "Column": ".schema",
        "IngestReport": ".report",
        "LINE": ".schema",
        "Placeholders": ".schema",
        "Reference": ".schema",
        "Source": ".source",
        "TableReport": ".report",
        "TableSchema": ".schema",
        "Tables": ".stored_tables",
        "changed_tables": ".tables",
        "checked_tables": ".tables",
        "ingest_tables": ".tables",
        "local_source": ".source",
        "open_source": ".source",
        "read_report": ".report",
        "read_tables": ".stored_tables",
        "source_fingerprint": ".tables",
        "strict_error": ".report",
    },
)
