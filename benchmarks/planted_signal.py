"""Does generated data hold the signal it should? Prints each figure beside its bounds, ``ok`` or ``NOT OK``.

Run ``python benchmarks/planted_signal.py`` (scale 0.2, some minutes on two cores). The features are computed here by
pandas and scipy alone, on purpose: a second, independent implementation of the eight feature sets, that others can be
compared with. ``--order`` adds the order of importance: one more model for each stack of feature sets.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from xgboost import XGBClassifier

from sparksweep.talkingdata.generate import generate

Model = XGBClassifier | LogisticRegression

FOLDS = 5
CHUNK = 2_000_000


@dataclass
class Features:
    """One CSR matrix a feature set, train rows first and then test rows, and the keys of its columns."""

    sets: dict[str, sparse.csr_matrix]
    keys: dict[str, list]
    train_ids: np.ndarray
    test_ids: np.ndarray
    groups: np.ndarray
    with_events: np.ndarray


def read(folder: Path, name: str, **options: object) -> pd.DataFrame:
    """Read one archive."""
    return pd.read_csv(folder / f"{name}.csv.zip", keep_default_na=False, **options)


def features(folder: Path) -> Features:
    """Compute the eight feature sets of all devices of train and test."""
    train, test = read(folder, "gender_age_train"), read(folder, "gender_age_test")
    ids = np.concatenate([train["device_id"], test["device_id"]])
    row = pd.Series(np.arange(len(ids)), index=ids)
    sets, keys = {}, {}
    phones = read(folder, "phone_brand_device_model").drop_duplicates("device_id").set_index("device_id").reindex(ids)
    for name, column in (("brand", "phone_brand"), ("model", "device_model")):
        codes = pd.Categorical(phones[column], categories=sorted(set(phones[column].dropna())))
        known = np.flatnonzero(codes.codes >= 0)
        sets[name] = _counts(known, codes.codes[known], len(ids), len(codes.categories)).sign()
        keys[name] = list(codes.categories)

    events = read(folder, "events", usecols=["event_id", "device_id", "timestamp"], parse_dates=["timestamp"])
    events = events[events["device_id"].isin(row.index)]
    device = row[events["device_id"]].to_numpy()
    weekday, hour = events["timestamp"].dt.weekday.to_numpy(), events["timestamp"].dt.hour.to_numpy()
    total = np.bincount(device, minlength=len(ids))
    for name, codes, n in (("weekday", weekday, 7), ("hour", hour, 24), ("weekday_hour", weekday * 24 + hour, 168)):
        sets[name], keys[name] = _divided(_counts(device, codes, len(ids), n), total), list(range(n))

    device_of_event = np.full(int(events["event_id"].max()) + 1, -1)
    device_of_event[events["event_id"]] = device
    app_counts, app_ids = _app_counts(folder, device_of_event, len(ids))
    shown = np.asarray(app_counts.sum(axis=1)).ravel()
    sets["app"], keys["app"] = _divided(app_counts, shown), app_ids
    labels = read(folder, "app_labels").drop_duplicates()
    labels = labels[labels["app_id"].isin(app_ids)]
    texts = read(folder, "label_categories").set_index("label_id")["category"].str.lower()
    texts = (
        texts.str.replace("game-", "game ", regex=False)
        .str.replace(r"[()_/]", " ", regex=True)
        .str.split()
        .str.join(" ")
    )
    labels["text"] = texts.reindex(labels["label_id"]).to_numpy()
    for name, column in (("label", "label_id"), ("category", "text")):
        pairs = labels[["app_id", column]].drop_duplicates()
        pairs = pairs[pairs[column] != ""]
        codes = pd.Categorical(pairs[column])
        of_app = _counts(
            pd.Index(app_ids).get_indexer(pairs["app_id"]), codes.codes, len(app_ids), len(codes.categories)
        )
        sets[name], keys[name] = _divided((app_counts @ of_app).tocsr(), shown), list(codes.categories)
    sets["category_indicator"], keys["category_indicator"] = sets["category"].sign(), keys["category"]
    n = len(train)
    return Features(sets, keys, ids[:n], ids[n:], train["group"].to_numpy(), total[:n] > 0)


def _counts(rows: np.ndarray, columns: np.ndarray, n_rows: int, n_columns: int) -> sparse.csr_matrix:
    return sparse.coo_matrix((np.ones(len(rows)), (rows, columns)), shape=(n_rows, n_columns)).tocsr()


def _divided(counts: sparse.csr_matrix, total: np.ndarray) -> sparse.csr_matrix:
    shares = counts.copy()
    shares.data = (counts.data / np.repeat(total, np.diff(counts.indptr))).astype(np.float32)
    return shares.astype(np.float32)


def _app_counts(folder: Path, device_of_event: np.ndarray, n_devices: int) -> tuple[sparse.csr_matrix, list[int]]:
    """Count the rows of app_events by device and app."""
    parts = []
    for chunk in read(folder, "app_events", usecols=["event_id", "app_id"], chunksize=CHUNK):
        inside = chunk["event_id"] < len(device_of_event)
        chunk = chunk[inside]
        part = pd.DataFrame({"device": device_of_event[chunk["event_id"]], "app": chunk["app_id"].to_numpy()})
        parts.append(part[part["device"] >= 0].value_counts(sort=False).rename("n").reset_index())
    counts = pd.concat(parts).groupby(["device", "app"], sort=True)["n"].sum().reset_index()
    apps = pd.Categorical(counts["app"])
    shape = (n_devices, len(apps.categories))
    return sparse.csr_matrix((counts["n"].astype(float), (counts["device"], apps.codes)), shape=shape), list(
        apps.categories
    )


def stack(data: Features, names: Sequence[str]) -> sparse.csr_matrix:
    """Put the train rows of feature sets side by side."""
    return sparse.hstack([data.sets[name][: len(data.train_ids)] for name in names]).tocsr()


def booster(rounds: int, threads: int) -> XGBClassifier:
    """Make the model of the scenario's grid, depth 3."""
    return XGBClassifier(
        n_estimators=rounds,
        max_depth=3,
        learning_rate=0.1,
        subsample=0.5,
        colsample_bylevel=0.1,
        reg_alpha=1,
        reg_lambda=1,
        objective="multi:softprob",
        tree_method="hist",
        seed=0,
        n_jobs=threads,
    )


class Check:
    """Prints figures beside their bounds and remembers whether all hold."""

    def __init__(self) -> None:
        self.ok = True

    def __call__(self, what: str, value: float, low: float, high: float) -> None:
        """Print one figure."""
        inside = low <= value <= high
        self.ok &= inside
        print(f"{what:<58}{value:8.4f}   {low:6.3f} to {high:6.3f}   {'ok' if inside else 'NOT OK'}", flush=True)


def run(folder: Path, rounds: int, threads: int, order: bool) -> bool:
    """Print all figures of the data set in a folder; tells whether each is within its bounds."""
    started = time.perf_counter()
    data = features(folder)
    classes, y = np.unique(data.groups, return_inverse=True)
    took = time.perf_counter() - started
    print(f"{len(y)} train devices, {data.with_events.mean():.1%} with events; features in {took:.0f} s", flush=True)
    folds = StratifiedKFold(FOLDS)
    check = Check()
    prior = np.bincount(y) / len(y)
    check("class prior", -float(prior @ np.log(prior)), 2.418, 2.438)

    def scored(what: str, model: Model, names: Sequence[str], low: float, high: float) -> np.ndarray:
        proba = cross_val_predict(model, stack(data, names), y, cv=folds, method="predict_proba")
        check(what, log_loss(y, proba), low, high)
        return proba

    scored(
        "logistic regression, brand + model", LogisticRegression(C=0.1, max_iter=300), ("brand", "model"), 2.37, 2.41
    )
    proba = scored(f"xgboost {rounds} x depth 3, sets 1 to 8", booster(rounds, threads), tuple(data.sets), 2.24, 2.31)
    seen = data.with_events
    labels = range(len(classes))
    with_events, without = (log_loss(y[rows], proba[rows], labels=labels) for rows in (seen, ~seen))
    check("  of these: devices with events", with_events, 1.95, 2.2)
    check("  of these: devices without", without, 2.38, 2.43)
    check("  gain of devices with events over those without", without - with_events, 0.2, 0.5)
    if order:
        _print_order(scored, booster(rounds, threads))
    return check.ok


def _print_order(scored: Callable[..., np.ndarray], model: XGBClassifier) -> None:
    phone = ("brand", "model")
    print("order of importance (shown, not judged)")
    apps = (*phone, "app")
    for names in (phone, (*phone, "weekday_hour"), ("app",), apps, (*apps, "label"), (*apps, "weekday_hour")):
        scored("xgboost, " + " + ".join(names), model, names, 0, np.inf)


def main() -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scale", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--data", type=Path, help="folder of archives to judge, instead of generating")
    parser.add_argument("--order", action="store_true", help="also fit each stack of feature sets (slow)")
    given = parser.parse_args()
    judge = partial(run, rounds=given.rounds, threads=given.threads, order=given.order)
    if given.data:
        return 0 if judge(given.data) else 1
    with tempfile.TemporaryDirectory() as scratch:
        generate(Path(scratch), given.scale, given.seed)
        return 0 if judge(Path(scratch)) else 1


if __name__ == "__main__":
    sys.exit(main())
