"""What a run's page says, taken from its record and its results, as plain rows and texts."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import pyarrow as pa

__all__ = ["Candidate", "Ranking", "constant_params", "ranking", "settings_text", "timings"]

SHOWN = 200  # candidates in the ranking; a page of 15,625 rows helps nobody
NOTHING = "–"  # a parameter that the candidate does not have, a score that is missing


@dataclass(frozen=True)
class Candidate:
    """A row of the ranking.

    Attributes
    ----------
    candidate_id : int
        Its place in the grid.
    rank, mean, std : str
        As shown.
    others : list of str
        Mean scores by the other scorers.
    dots : list of float
        Fold scores that there are, as shares of the way from the worst to the best of all shown.
    mean_dot : float, optional
        The mean on the same scale.
    folds : str
        The fold scores as text.
    params : list of str
        Values of the parameters that vary.
    """

    candidate_id: int
    rank: str
    mean: str
    std: str
    others: list[str]
    dots: list[float]
    mean_dot: float | None
    folds: str
    params: list[str]


@dataclass(frozen=True)
class Ranking:
    """The ranking's head and rows.

    Attributes
    ----------
    scorer : str
        Whose mean score ranks.
    others : list of str
        The other scorers.
    params : list of str
        Parameters that vary.
    candidates : list of Candidate
        Best first.
    total : int
        Candidates in all.
    worst, best : str
        Ends of the scale of the fold scores.
    """

    scorer: str
    others: list[str]
    params: list[str]
    candidates: list[Candidate]
    total: int
    worst: str
    best: str


def ranking(run: Mapping[str, Any], results: pa.Table, shown: int = SHOWN) -> Ranking:
    """Return the candidates by rank; those of one rank in candidate order.

    Parameters
    ----------
    run : mapping
        What ``run.json`` says.
    results : pyarrow.Table
        As `sparksweep.runs.results_table` gives it.
    shown : int
        Candidates to show.
    """
    suffixes = [name[len("mean_test_") :] for name in results.column_names if name.startswith("mean_test_")]
    chosen = (run.get("best") or {}).get("scorer")
    suffix = next((each for each in suffixes if each == chosen), suffixes[0])
    others = [each for each in suffixes if each != suffix]
    params = _params(results)
    varying = [name for name, values in params.items() if len(set(values)) > 1]
    ranks = results[f"rank_test_{suffix}"].to_pylist()
    order = sorted(range(results.num_rows), key=lambda index: (ranks[index], index))[:shown]
    folds = _fold_scores(results, suffix)
    scale = _Scale([score for index in order for score in folds[index] if _is_score(score)])
    means, stds = (results[f"{name}_test_{suffix}"].to_pylist() for name in ("mean", "std"))
    other_means = [results[f"mean_test_{each}"].to_pylist() for each in others]
    candidates = [
        Candidate(
            candidate_id=index,
            rank=str(ranks[index]),
            mean=_score_text(means[index]),
            std=_score_text(stds[index]),
            others=[_score_text(other[index]) for other in other_means],
            dots=[scale.place(score) for score in folds[index] if _is_score(score)],
            mean_dot=scale.place(means[index]) if _is_score(means[index]) else None,
            folds=", ".join(_score_text(score) for score in folds[index]),
            params=[params[name][index] for name in varying],
        )
        for index in order
    ]
    scorer = run.get("metric") if suffix == "score" else suffix
    return Ranking(str(scorer or suffix), others, varying, candidates, results.num_rows, scale.low, scale.high)


def constant_params(results: pa.Table) -> dict[str, str]:
    """Return the parameters that are the same in every candidate, as shown."""
    return {name: values[0] for name, values in _params(results).items() if len(set(values)) == 1}


def timings(run: Mapping[str, Any], results: pa.Table) -> dict[str, str]:
    """Return how long the run, all fits together, all scoring together, and the refit took."""
    n_splits = int(run.get("n_splits") or 0)
    total = {
        name: sum(value or 0.0 for value in results[f"mean_{name}_time"].to_pylist()) * n_splits
        for name in ("fit", "score")
        if f"mean_{name}_time" in results.column_names
    }
    found = {
        "from start to end": run.get("seconds"),
        "all fits, one after the other": total.get("fit"),
        "all scoring, one after the other": total.get("score"),
        "refit": run.get("refit_seconds"),
    }
    return {title: duration(float(seconds)) for title, seconds in found.items() if _is_score(seconds)}


def duration(seconds: float) -> str:
    """Return seconds as people say them."""
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def settings_text(settings: Any) -> str:
    """Return settings as indented JSON."""
    return json.dumps(settings, indent=2, ensure_ascii=False)


class _Scale:
    """From scores to places between 0 (the worst) and 1 (the best)."""

    def __init__(self, scores: Sequence[float]) -> None:
        self._low, self._high = (min(scores), max(scores)) if scores else (0.0, 0.0)
        self.low, self.high = (_score_text(self._low), _score_text(self._high)) if scores else (NOTHING, NOTHING)

    def place(self, score: float) -> float:
        """Return a score's place, half way where there is but one score."""
        width = self._high - self._low
        return round(min(max((score - self._low) / width, 0.0), 1.0), 4) if width > 0 else 0.5


def _params(results: pa.Table) -> dict[str, list[str]]:
    """Return each parameter's values as shown, by its name without ``param_``."""
    return {
        field.name[len("param_") :]: [_shown(value, field) for value in results[field.name].to_pylist()]
        for field in results.schema
        if field.name.startswith("param_")
    }


def _shown(value: Any, field: pa.Field) -> str:
    """Return a parameter's value as Python writes it; null is a parameter that the candidate does not have."""
    if value is None:
        return NOTHING
    return str(json.loads(value) if (field.metadata or {}).get(b"encoding") == b"json" else value)


def _fold_scores(results: pa.Table, suffix: str) -> list[list[float | None]]:
    """Return for each candidate its scores by split."""
    names = [name for name in results.column_names if _is_split(name, suffix)]
    return [list(row) for row in zip(*(results[name].to_pylist() for name in names), strict=True)]


def _is_split(name: str, suffix: str) -> bool:
    start, _, rest = name.partition("_")
    return rest == f"test_{suffix}" and start.startswith("split") and start[len("split") :].isdigit()


def _is_score(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _score_text(value: float | None) -> str:
    return f"{value:.5f}" if value is not None and _is_score(value) else NOTHING
