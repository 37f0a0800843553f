"""The eight feature sets by pandas and scipy alone: a second implementation that others are compared with.

Nothing of sparksweep is used. It reads the archives themselves, and holds every table but app_events whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

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
