"""Commands that do not search wait for no scikit-learn, and yet make nothing for a search section that is wrong."""

from __future__ import annotations

import pytest

from sparksweep.errors import ConfigError
from sparksweep.pipeline import job
from sparksweep.pipeline.job import start_job
from sparksweep.pipeline.matrices import ensure_matrices
from sparksweep.pipeline.tables import ensure_tables
from sparksweep.talkingdata.generate import generate

WRONG = "search.scoring=neg_log_los"
LINE = "demo: search.scoring: unknown scorer 'neg_log_los'; did you mean 'neg_log_loss'?"


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Return how a job on generated zips is started, where none may start Spark."""
    monkeypatch.setattr(job, "open_session", None)
    generate(tmp_path / "raw", scale=0.001, seed=0)

    said = []

    def start(*overrides, search_later):
        source = f"data.source={tmp_path}/raw"
        return start_job(
            "demo", str(tmp_path / "workspace"), [source, *overrides], said.append, search_later=search_later
        )

    yield start
    assert said == []


@pytest.mark.slow
@pytest.mark.parametrize("stage", [ensure_tables, ensure_matrices])
def test_it_is_looked_at_before_anything_is_made(start, stage):
    with pytest.raises(ConfigError) as at_once:
        start(WRONG, search_later=False)
    begun = start(WRONG, search_later=True)
    with pytest.raises(ConfigError) as later:
        stage(begun)
    assert list(later.value.problems) == list(at_once.value.problems) == [LINE]


@pytest.mark.slow
def test_with_another_mistake_it_is_looked_at_at_once(start):
    with pytest.raises(ConfigError) as error:
        start(WRONG, "features.sets=[hours]", search_later=True)
    assert LINE in error.value.problems
    assert len(error.value.problems) == 2
    with pytest.raises(ConfigError):
        start("search.cv=1", search_later=True)


def test_before_a_matrix_is_imported_too(tmp_path, start):
    (tmp_path / "data.svm").write_text("1 1:2\n0 2:1\n")
    file = ["data.format=svmlight", f"data.source={tmp_path}/data.svm", "features={name: imported}"]
    begun = start(WRONG, *file, search_later=True)
    with pytest.raises(ConfigError):
        ensure_matrices(begun)
    assert not begun.store.exists("matrix")
