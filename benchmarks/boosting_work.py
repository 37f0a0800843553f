"""The work of P1: the scenario's grid on a matrix shaped like its own, ours and as two bare processes would do it."""

from __future__ import annotations

import itertools
import multiprocessing
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xgboost
from scipy import sparse
from sklearn.model_selection import StratifiedKFold
from xgboost import XGBClassifier

FOLDS = 5
# Devices a group in the scenario's train table.
GROUPS = np.array([5050, 6547, 3128, 5545, 2628, 4194, 7489, 8315, 9605, 6899, 7100, 8145])
SHARE_WITH_EVENTS = 0.312
# Columns, how uneven their frequencies are, how much the classes differ, mean and most entries of a device.
ONE_OF = ((131, 1.5, 0.2), (1667, 0.9, 0.25))  # brand, model: each device has one
BAGS = (
    (19237, 1.05, 0.5, 60, 400),  # apps
    (507, 0.8, 0.2, 140, 450),  # labels
    (300, 0.8, 0.2, 90, 250),  # categories
    (7, 0.2, 0.1, 20, 60),  # weekdays
    (24, 0.3, 0.1, 20, 60),  # hours
    (168, 0.3, 0.1, 20, 90),  # hours of the week
    (280, 0.8, 0.1, 110, 250),  # words
)
ROUNDS = (30, 40)
PATH = tuple(range(4, 44, 4))
GRID: Mapping[str, Sequence[Any]] = {
    "n_estimators": ROUNDS,
    "max_depth": [3, 4],
    "objective": ["multi:softprob"],
    "reg_alpha": [1],
    "reg_lambda": [1],
    "colsample_bytree": [1],
    "learning_rate": [0.1],
    "colsample_bylevel": [0.01, 0.1],
    "subsample": [0.5, 0.7],
}
PATH_GRID: Mapping[str, Sequence[Any]] = {**GRID, "n_estimators": PATH, "colsample_bylevel": [0.1], "subsample": [0.7]}

Scores = dict[tuple[Any, ...], float]


def make_data(rows: int, seed: int = 7) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Return a 0/1 CSR matrix of 22,321 columns and its 12 classes."""
    random = np.random.default_rng(seed)
    y = random.choice(len(GROUPS), size=rows, p=GROUPS / GROUPS.sum())

    def draw(columns: int, uneven: float, differ: float, sizes: Mapping[int, int]) -> Mapping[int, np.ndarray]:
        """Return the columns drawn for each class."""
        tilt = np.exp(random.normal(0, differ, (len(GROUPS), columns)))
        weights = tilt / np.arange(1, columns + 1) ** uneven
        weights /= weights.sum(axis=1, keepdims=True)
        return {each: random.choice(columns, size=size, p=weights[each]) for each, size in sizes.items()}

    blocks = []
    members = {each: np.flatnonzero(y == each) for each in range(len(GROUPS))}
    for columns, uneven, differ in ONE_OF:
        drawn = draw(columns, uneven, differ, {each: len(found) for each, found in members.items()})
        blocks.append(_indicators([(members[each], drawn[each]) for each in members], rows, columns))
    seen = random.random(rows) < SHARE_WITH_EVENTS
    active = {each: found[seen[found]] for each, found in members.items()}
    for columns, uneven, differ, mean, most in BAGS:
        counts = {
            each: np.clip(random.lognormal(np.log(mean) - 0.5, 1.0, len(found)).astype(int), 1, most)
            for each, found in active.items()
        }
        drawn = draw(columns, uneven, differ, {each: int(count.sum()) for each, count in counts.items()})
        pairs = [(np.repeat(active[each], counts[each]), drawn[each]) for each in active]
        blocks.append(_indicators(pairs, rows, columns))
    return sparse.hstack(blocks, format="csr").astype(np.float32), y


def _indicators(pairs: Sequence[tuple[np.ndarray, np.ndarray]], rows: int, columns: int) -> sparse.csr_matrix:
    row, column = (np.concatenate(side) for side in zip(*pairs, strict=True))
    return sparse.coo_matrix((np.ones(len(row)), (row, column)), shape=(rows, columns)).tocsr().sign()


def make_booster() -> XGBClassifier:
    """Return the estimator whose params the grid sets."""
    return XGBClassifier(random_state=0, n_jobs=1, tree_method="hist")


def table(results: Mapping[str, Any]) -> Scores:
    """Return the mean scores of a search by the params that vary."""
    return {_key(params): float(mean) for params, mean in zip(results["params"], results["mean_test_score"])}  # noqa: B905


def _key(params: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(params[name] for name in ("n_estimators", "max_depth", "colsample_bylevel", "subsample"))


class Ideal:
    """What no search can beat: plain processes that run bare xgboost, each booster once for all its round numbers.

    The processes are forks of this one, so data and imports cost them nothing.
    """

    def __init__(self, X: sparse.csr_matrix, y: np.ndarray, grid: Mapping[str, Sequence[Any]]) -> None:
        self._X, self._y, self._rounds = X, y, sorted(grid["n_estimators"])
        self._folds = list(StratifiedKFold(FOLDS).split(X, y))
        names = ("max_depth", "colsample_bylevel", "subsample")
        families = [dict(zip(names, values)) for values in itertools.product(*(grid[name] for name in names))]  # noqa: B905
        self._work = sorted(itertools.product(families, range(FOLDS)), key=lambda each: -each[0]["max_depth"])

    def run(self, processes: int = 2) -> Scores:
        """Return the mean scores."""
        with multiprocessing.get_context("fork").Pool(processes) as pool:
            found = pool.map(self._train, range(len(self._work)), chunksize=1)
        scores: dict[tuple[Any, ...], list[float]] = {}
        for (family, _), by_rounds in zip(self._work, found, strict=True):
            for rounds, score in by_rounds.items():
                scores.setdefault(_key({**family, "n_estimators": rounds}), []).append(score)
        return {key: float(np.mean(each)) for key, each in scores.items()}

    def _train(self, number: int) -> dict[int, float]:
        family, fold = self._work[number]
        train, test = self._folds[fold]
        params = dict(objective="multi:softprob", num_class=len(GROUPS), alpha=1, reg_lambda=1, colsample_bytree=1,
                      learning_rate=0.1, tree_method="hist", nthread=1, random_state=0, **family)  # fmt: skip
        rows = xgboost.DMatrix(self._X[train], self._y[train], nthread=1)
        held_out = xgboost.DMatrix(self._X[test], nthread=1)
        booster = xgboost.train(params, rows, max(self._rounds))
        scores = {}
        for rounds in self._rounds:
            proba = booster.predict(held_out, iteration_range=(0, rounds))
            hit = proba[np.arange(len(test)), self._y[test]]
            scores[rounds] = float(np.log(np.clip(hit, 1e-15, 1)).mean())
        return scores
