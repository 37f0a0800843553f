"""Which apps each device has, and how many of them each event tells of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparksweep.talkingdata.generate.apps import Apps
from sparksweep.talkingdata.generate.draws import Floats, Ints, distinct, pick_rows, settle, stream

__all__ = ["Installs", "draw_shown", "make_installs"]

# Apps of a device: lognormal around the mean that popularity gives.
SIZE_SD = 0.65
NEW_SHARE, NEW_SIZE = 0.01, 0.03  # devices with next to no apps
COMMON_SHARE = 0.2  # more popular apps do not depend on how many apps a device has
CORE_SHARE = 0.25  # of a device's apps, those that each of its events tells of
MOST_APPS, SPARE = 320, 20  # of one event, and those of them kept for apps that no device has


@dataclass(frozen=True)
class Installs:
    """The apps of each device, as one array with an offset for each device.

    Attributes
    ----------
    start : int64 array, shape (n_devices + 1,)
        The apps of device d are ``app[start[d]:start[d + 1]]``, all different.
    app : int32 array
        Numbers of apps in use.
    core : int64 array, shape (n_devices,)
        So many of them, from the first on, are in each event of the device that tells of apps.
    """

    start: Ints
    app: NDArray[np.int32]
    core: Ints


def make_installs(seed: int, apps: Apps, groups: Ints) -> Installs:
    """Draw the apps of devices whose owners' groups are given, one element each; no app is left out."""
    rng = stream(seed, "installs")
    keys = _without_gaps(rng, apps.used, len(groups), _draw_pairs(rng, apps, groups))
    device, app = np.divmod(keys, apps.used)
    # Common apps come first more often than not: they are the ones that run all day.
    common = apps.shares[app] > COMMON_SHARE
    order = np.lexsort((rng.random(len(keys)) - 0.3 * common, device))
    sizes = np.bincount(device, minlength=len(groups))
    core = np.ceil(CORE_SHARE * sizes).astype(np.int64)
    return Installs(np.append(0, np.cumsum(sizes)), app[order].astype(np.int32), core)


def _draw_pairs(rng: np.random.Generator, apps: Apps, groups: Ints) -> Ints:
    """Draw pairs of device and app, as ascending device * n_apps + app."""
    # A device draws apps until as many different devices have the app as its share says.
    rates = -np.log1p(-np.minimum(apps.shares[:, None] * apps.appeal, 0.97))
    n_common = int(np.count_nonzero(apps.shares > COMMON_SHARE))
    new = rng.random(len(groups)) < NEW_SHARE
    has = (rng.random((len(groups), n_common)) < -np.expm1(-rates[:n_common, groups].T)) & ~new[:, None]
    owner, app = np.nonzero(has)
    size = np.exp(SIZE_SD * rng.standard_normal(len(groups)) - SIZE_SD**2 / 2) * np.where(new, NEW_SIZE, 1)
    draws = rng.poisson(rates[n_common:].sum(axis=0)[groups] * size)
    device = np.repeat(np.arange(len(groups)), draws)
    other = pick_rows(rng, rates[n_common:], groups[device]) + n_common
    return distinct(np.append(owner * apps.used + app, device * apps.used + other))


def _without_gaps(rng: np.random.Generator, n_apps: int, n_devices: int, keys: Ints) -> Ints:
    """Give devices without apps the most popular one, and apps without devices a device; keep devices within bounds."""
    sizes = np.bincount(keys // n_apps, minlength=n_devices)
    place = np.arange(len(keys)) - np.append(0, np.cumsum(sizes))[keys // n_apps]
    keys = keys[place < MOST_APPS - SPARE]
    bare = np.flatnonzero(sizes == 0)
    unused = np.flatnonzero(np.bincount(keys % n_apps, minlength=n_apps) == 0)
    return distinct(np.concatenate([keys, bare * n_apps, rng.integers(0, n_devices, len(unused)) * n_apps + unused]))


def draw_shown(seed: int, installs: Installs, device: Ints, total: int) -> Ints:
    """Draw how many apps each event tells of, total in all where the devices have enough.

    Parameters
    ----------
    seed : int
        The user's seed.
    installs : Installs
        Apps of each device.
    device : int64 array, shape (n_events,)
        Device of each event.
    total : int
        Rows of app_events.

    Returns
    -------
    int64 array, shape (n_events,)
        At least the device's core (one app where there are too few rows), at most all its apps. The first event of
        each device tells of all, so that no app stays unseen.
    """
    rng = stream(seed, "apps shown")
    most = np.diff(installs.start)[device]
    least = installs.core[device]
    if least.sum() > 0.9 * total:  # of few devices the one with most events may have very many apps
        least = np.ones(len(device), np.int64)
    first = np.unique(device, return_index=True)[1]
    least[first] = most[first]
    total = int(np.clip(total, least.sum(), most.sum()))
    share: Floats = rng.beta(2, 1.5, len(device))
    room, wanted = (most - least).astype(np.float64), total - int(least.sum())
    drawn, left = float(room @ share), float(room @ (1 - share))
    # Stretch the shares towards 0 or towards 1, so that they add up to what is wanted but for the rounding.
    share = share * (wanted / drawn) if wanted < drawn else 1 - (1 - share) * ((room.sum() - wanted) / max(left, 1e-9))
    counts = least + np.floor(room * share + rng.random(len(device))).astype(np.int64)
    return settle(rng, counts, total, least, most)
