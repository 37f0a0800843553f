"""The seven archives of a data set, made from one seed.

What is planted: groups differ in the apps and phones they have, hardly in when they are active, and not at all in where
their rows stand. (In the real files the order of the rows tells of the group, and the share of devices with events
rises along the file. That leak is left out on purpose: unshuffled folds are as good as shuffled ones here.)
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from sparksweep.errors import StorageError, UsageError
from sparksweep.talkingdata.generate.app_events import AppEvents, app_event_parts
from sparksweep.talkingdata.generate.apps import make_apps
from sparksweep.talkingdata.generate.archive import write_archive
from sparksweep.talkingdata.generate.catalogue import read_labels, read_phones
from sparksweep.talkingdata.generate.devices import make_devices
from sparksweep.talkingdata.generate.events import make_events
from sparksweep.talkingdata.generate.installs import draw_shown, make_installs
from sparksweep.talkingdata.generate.labels import label_rows, theme_codes
from sparksweep.talkingdata.generate.places import draw_places
from sparksweep.talkingdata.generate.sizes import GROUPS, Sizes, sizes_at
from sparksweep.talkingdata.generate.tables import (
    app_labels_text,
    event_parts,
    label_categories_text,
    phone_text,
    test_text,
    train_text,
)

__all__ = ["TABLES", "generate"]

TABLES = (
    "gender_age_train",
    "gender_age_test",
    "phone_brand_device_model",
    "events",
    "app_events",
    "app_labels",
    "label_categories",
)


def generate(
    out: Path, scale: float = 0.01, seed: int = 0, on_progress: Callable[[str], None] | None = None
) -> list[Path]:
    """Write a data set shaped like the competition's: for each of ``TABLES`` a NAME.csv.zip with one member, NAME.csv.

    The same scale and seed give the same bytes, given the same versions of numpy, scipy and zlib. Files that are there
    already are replaced, all of them only when the whole new data set is complete.

    Parameters
    ----------
    out : pathlib.Path
        Folder for the archives; made if it is not there.
    scale : float, default=0.01
        Size relative to the real files, 0.001 to 10; 1 gives their numbers of rows.
    seed : int, default=0
        Not negative.
    on_progress : callable, optional
        Called with one line of text after each archive.

    Returns
    -------
    list of pathlib.Path
        The seven archives, in the order of ``TABLES``.

    Raises
    ------
    UsageError
        The scale or the seed is outside its range.
    StorageError
        The folder or a file cannot be written.
    """
    sizes = sizes_at(scale)
    if seed < 0:
        raise UsageError(f"seed: {seed} is negative; use 0 or any whole number above it")
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".generate-", dir=out) as beside:
            _write_all(Path(beside), seed, sizes, on_progress or (lambda line: None))
            for name in TABLES:
                os.replace(Path(beside, f"{name}.csv.zip"), out / f"{name}.csv.zip")
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(f"{out}: cannot write the data set: {reason}; free space or name another folder") from error
    return [out / f"{name}.csv.zip" for name in TABLES]


def _write_all(folder: Path, seed: int, sizes: Sizes, report: Callable[[str], None]) -> None:
    for name, parts in _tables(seed, sizes):
        path = folder / f"{name}.csv.zip"
        # A row of app_events has some 32 bytes, and no other table is nearly as large.
        write_archive(path, f"{name}.csv", parts, expected_bytes=32 * sizes.app_rows if name == "app_events" else 0)
        report(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")


def _tables(seed: int, sizes: Sizes) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Make the tables one after the other; a large one is made while it is written."""
    phones, labels = read_phones(), read_labels()
    devices = make_devices(seed, sizes, phones)
    yield "gender_age_train", [train_text(devices)]
    yield "gender_age_test", [test_text(devices)]
    yield "phone_brand_device_model", [phone_text(seed, devices, phones, sizes)]

    groups = devices.groups[devices.with_events]
    _, n_themes = theme_codes(labels)
    apps = make_apps(seed, sizes, n_themes, np.bincount(groups, minlength=len(GROUPS)).astype(np.float64))
    yield "app_labels", [app_labels_text(label_rows(seed, apps, labels, sizes), apps, labels)]
    yield "label_categories", [label_categories_text(labels)]

    events = make_events(seed, sizes, devices)
    places = draw_places(seed, events.device, len(groups))
    yield "events", event_parts(devices.ids[devices.with_events], events, places)
    del places
    # Only devices whose events tell of apps have apps here, and are numbered anew for it.
    owners, device = np.unique(events.device[events.with_apps], return_inverse=True)
    installs = make_installs(seed, apps, groups[owners])
    shown = draw_shown(seed, installs, device, sizes.app_rows)
    yield "app_events", app_event_parts(AppEvents(seed, apps, installs, events.with_apps + 1, device, shown))
