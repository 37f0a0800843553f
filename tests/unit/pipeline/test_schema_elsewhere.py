"""A schema of event logs at an address that only Spark's JVM can read."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from sparksweep.errors import ConfigError
from sparksweep.pipeline import experiments

SCHEMA = b"""
tables:
  customers: {columns: {customer_id: int64, segment: string, churned: string}, key: [customer_id]}
rows: {train: customers, key: customer_id, target: churned}
feature_sets:
  segment: {kind: one_hot, table: customers, by: segment}
"""
EXPERIMENT = """
data: {source: raw, format: logs, schema_file: "hdfs://nn/conf/shop.yaml"}
features: {sets: [%s]}
search: {estimator: sklearn.linear_model.LogisticRegression, param_grid: {C: [1]}, scoring: accuracy}
spark: {hadoop.fs.defaultFS: "hdfs://nn"}
"""


@pytest.fixture
def experiment(monkeypatch, tmp_path):
    """Return a function that writes an experiment, and what sessions and files it asked for."""
    asked = []
    store = SimpleNamespace(read_bytes=lambda file: asked.append(file) or SCHEMA)
    monkeypatch.setattr(experiments, "open_session", lambda name, conf=None: asked.append(conf))
    monkeypatch.setattr(experiments, "open_store", lambda folder: asked.append(folder) or store)

    def write(sets):
        path = tmp_path / "churn.yaml"
        path.write_text(EXPERIMENT % sets)
        return str(path)

    return write, asked


def test_it_is_read_in_a_session_with_the_experiments_settings(experiment):
    write, asked = experiment
    assert experiments.read_experiment(write("segment")).features.sets == ["segment"]
    assert asked == [{"spark.hadoop.fs.defaultFS": "hdfs://nn"}, "hdfs://nn/conf", "shop.yaml"]


def test_what_it_does_not_have_is_told(experiment):
    write, _ = experiment
    with pytest.raises(ConfigError, match="segments"):
        experiments.read_experiment(write("segments"))
