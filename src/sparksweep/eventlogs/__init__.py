"""A user's own event logs: tables, keys and feature sets told by a YAML file, built by the scenario's pieces."""

from sparksweep.eventlogs.columns import check_expressions
from sparksweep.eventlogs.matrices import build_log_matrices
from sparksweep.eventlogs.schema import LogSchema, SetSettings, parse_log_schema

__all__ = ["LogSchema", "SetSettings", "build_log_matrices", "check_expressions", "parse_log_schema"]
