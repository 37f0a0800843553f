"""Raw zips to typed Parquet tables; knows schemas, not any one data set."""

from sparksweep.ingest.report import IngestReport, TableReport, read_report
from sparksweep.ingest.schema import LINE, Column, Reference, TableSchema
from sparksweep.ingest.source import local_source
from sparksweep.ingest.tables import changed_tables, ingest_tables, known_values, read_tables, source_fingerprint

__all__ = [
    "LINE",
    "Column",
    "IngestReport",
    "Reference",
    "TableReport",
    "TableSchema",
    "changed_tables",
    "ingest_tables",
    "known_values",
    "local_source",
    "read_report",
    "read_tables",
    "source_fingerprint",
]
