"""The eight feature sets by DuckDB's SQL: a third implementation, beside Spark's and pandas's.

DuckDB reads no zip, so the members are unpacked to disk first. It returns what `features_by_pandas` does.
"""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path

import duckdb
import numpy as np
from features_by_pandas import Features
from scipy import sparse

# A row's number, and what it has; `n` counts, `total` is by what it is divided.
PREPARE = """
CREATE TABLE device AS
    SELECT device_id, row_number() OVER () - 1 AS row FROM (
        SELECT device_id FROM gender_age_train UNION ALL SELECT device_id FROM gender_age_test);
CREATE TABLE phone AS
    SELECT row, arg_min(phone_brand, line) AS brand, arg_min(device_model, line) AS model
    FROM (SELECT *, row_number() OVER () AS line FROM phone_brand_device_model) JOIN device USING (device_id)
    GROUP BY row;
CREATE TABLE event AS SELECT event_id, row, timestamp FROM events JOIN device USING (device_id);
CREATE TABLE clock AS
    SELECT row, (isodow(timestamp) - 1) * 24 + hour(timestamp) AS key, count(*) AS n FROM event GROUP BY ALL;
CREATE TABLE app AS SELECT row, app_id AS key, count(*) AS n FROM app_events JOIN event USING (event_id) GROUP BY ALL;
CREATE TABLE label AS SELECT DISTINCT app_id, label_id FROM app_labels WHERE app_id IN (SELECT key FROM app);
CREATE TABLE category AS
    SELECT DISTINCT app_id, text FROM label JOIN (
        SELECT label_id, trim(regexp_replace(regexp_replace(
            replace(lower(category), 'game-', 'game '), '[()_/]', ' ', 'g'), ' +', ' ', 'g'), ' ') AS text
        FROM label_categories) USING (label_id)
    WHERE text <> '';
"""
SETS = {
    "brand": "SELECT row, brand AS key, 1 AS n, 1 AS total FROM phone",
    "model": "SELECT row, model AS key, 1 AS n, 1 AS total FROM phone",
    "weekday": "SELECT row, key // 24 AS key, sum(n) AS n, any_value(total) AS total FROM clock_total GROUP BY ALL",
    "hour": "SELECT row, key % 24 AS key, sum(n) AS n, any_value(total) AS total FROM clock_total GROUP BY ALL",
    "weekday_hour": "SELECT row, key, n, total FROM clock_total",
    "app": "SELECT row, key, n, total FROM app_total",
    "label": "SELECT row, label_id AS key, sum(n) AS n, any_value(total) AS total "
    "FROM app_total JOIN label ON key = app_id GROUP BY row, label_id",
    "category": "SELECT row, text AS key, sum(n) AS n, any_value(total) AS total "
    "FROM app_total JOIN category ON key = app_id GROUP BY row, text",
    "category_indicator": "SELECT DISTINCT row, text AS key, 1 AS n, 1 AS total "
    "FROM app_total JOIN category ON key = app_id",
}
CLOCK = {"weekday": 7, "hour": 24, "weekday_hour": 168}


def features(folder: Path) -> Features:
    """Compute the eight feature sets of all devices of train and test."""
    with tempfile.TemporaryDirectory() as scratch, duckdb.connect() as connection:
        connection.execute(f"SET threads = 2; SET temp_directory = '{scratch}/spill'")
        for path in folder.glob("*.csv.zip"):
            name = path.name.removesuffix(".csv.zip")
            with zipfile.ZipFile(path) as archive:
                archive.extractall(scratch)
            connection.execute(
                f"CREATE VIEW {name} AS SELECT * FROM read_csv('{scratch}/{name}.csv', header = true, nullstr = '\\N')"
            )
        for statement in PREPARE.split(";\n"):
            connection.execute(statement)
        for name in ("clock", "app"):
            connection.execute(
                f"CREATE TABLE {name}_total AS SELECT *, sum(n) OVER (PARTITION BY row) AS total FROM {name}"
            )
        train = connection.execute('SELECT device_id, "group" FROM gender_age_train').fetchnumpy()
        test = connection.execute("SELECT device_id FROM gender_age_test").fetchnumpy()
        n_rows = len(train["device_id"]) + len(test["device_id"])
        sets, keys = {}, {}
        for name, query in SETS.items():
            sets[name], keys[name] = _set(connection.execute(query).fetchnumpy(), n_rows, CLOCK.get(name))
    n = len(train["device_id"])
    with_events = np.diff(sets["weekday"].indptr)[:n] > 0
    return Features(sets, keys, train["device_id"], test["device_id"], train["group"], with_events)


def _set(found: dict[str, np.ndarray], n_rows: int, n_keys: int | None) -> tuple[sparse.csr_matrix, list]:
    keys = list(range(n_keys)) if n_keys else sorted(set(found["key"].tolist()))
    place = {key: column for column, key in enumerate(keys)}
    columns = np.array([place[key] for key in found["key"].tolist()], dtype=np.int32)
    values = (found["n"].astype(np.float64) / found["total"].astype(np.float64)).astype(np.float32)
    return sparse.csr_matrix((values, (found["row"], columns)), shape=(n_rows, len(keys))), keys
