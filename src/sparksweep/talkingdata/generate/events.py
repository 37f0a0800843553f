"""Events: how many each device has, when and where, in the order of the real file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from sparksweep.talkingdata.generate.devices import Devices
from sparksweep.talkingdata.generate.draws import Ints, choose, pick, pick_rows, settle, stratified, stream
from sparksweep.talkingdata.generate.signal import AGE
from sparksweep.talkingdata.generate.sizes import Sizes

__all__ = ["DAYS", "Events", "make_events"]

DAYS = ("2016-04-30", *(f"2016-05-0{day}" for day in range(1, 9)))
# Share of each day; the first lasts 7:36 minutes and the last 9 seconds. May 1st is a Sunday.
DAY_SHARES = np.array([0.0005, 0.135, 0.143, 0.152, 0.146, 0.145, 0.144, 0.134, 0.000005])
FIRST_SECOND, LAST_SECOND = 23 * 3600 + 52 * 60 + 24, 8
HOUR_SHARES = np.array(
    [3.6, 1.9, 1.7, 1.4, 1.3, 2.2, 3.9, 4.7, 2.4, 5.3, 6.1, 4.7,
     5.1, 5.1, 4.9, 4.6, 4.9, 4.8, 4.8, 5.8, 5.1, 5.5, 5.4, 4.9]
)  # fmt: skip
EARLY, LATE = slice(5, 9), slice(20, 24)  # hours the older, and the younger, use a little more
HOUR_LEANING = 0.06
PASS = 27_500  # ids of one sweep over the hours of the day, all days mixed

# Events of a device: lognormal, with more at 1 and 2.
LOG_MEAN, LOG_SD, MANY = 2.93, 1.5, 15
FEW_SHARE, ONE_OF_FEW = 0.085, 0.7
MOST_OF_TRAIN = 4_150

NO_APPS_SHARE = 0.035  # devices whose events never tell of apps


@dataclass(frozen=True)
class Events:
    """All events, one element each, in the order of event_id (1, 2, ...).

    Attributes
    ----------
    device : int64 array
        Position in ``Devices.with_events``.
    day : int64 array
        Position in ``DAYS``.
    second : int64 array
        Second of the day.
    with_apps : int64 array
        Positions of the events that app_events tells of, ascending.
    """

    device: Ints
    day: Ints
    second: Ints
    with_apps: Ints

    def __len__(self) -> int:
        return len(self.device)


def make_events(seed: int, sizes: Sizes, devices: Devices) -> Events:
    """Draw all events of a data set."""
    counts = _draw_counts(seed, sizes)
    rng = stream(seed, "event order")
    device = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    day, second = _draw_times(stream(seed, "times"), devices.groups[devices.with_events], device)
    # Within a pass the hours ascend; which event of the hour comes first is chance.
    order = np.argsort(np.arange(len(device)) // PASS * 24 + second // 3600, kind="stable")
    device = device[order]
    with_apps = _draw_with_apps(stream(seed, "events with apps"), device, len(counts), sizes.events_with_apps)
    return Events(device, day[order], second[order], with_apps)


def _draw_counts(seed: int, sizes: Sizes) -> Ints:
    """Draw the number of events of each device of ``Devices.with_events``."""
    rng = stream(seed, "events per device")
    heaviest = np.array(sizes.heaviest)
    test_devices = sizes.test_with_events - len(heaviest)
    test = _tail_counts(rng, test_devices, sizes.test_events - int(heaviest.sum()), MOST_OF_TRAIN * 2)
    return np.concatenate(
        [
            _tail_counts(rng, sizes.train_with_events, sizes.train_events, MOST_OF_TRAIN),
            rng.permutation(np.append(test, heaviest)),
            _tail_counts(rng, sizes.unknown, sizes.unknown_events, MOST_OF_TRAIN),
        ]
    )


def _tail_counts(rng: np.random.Generator, n: int, total: int, most: int) -> Ints:
    """Draw n heavy-tailed counts of 1 to most that add up to total; what must give way are the counts above 15."""
    counts = np.exp(LOG_MEAN + LOG_SD * ndtri(stratified(rng, n)))
    few = rng.random(n) < FEW_SHARE
    counts[few] = np.where(rng.random(int(few.sum())) < ONE_OF_FEW, 1, 2)
    many = counts > MANY
    many[np.argmax(counts)] = True  # of very few devices perhaps none is heavy, and one must give way
    rest = total - int(np.clip(np.rint(counts[~many]), 1, None).sum())
    for _ in range(8):  # the cut at most takes from the sum: scale again
        counts[many] = np.clip(counts[many] * rest / max(counts[many].sum(), 1), MANY + 1, most)
    rounded = np.clip(np.rint(counts), 1, most).astype(np.int64)
    return settle(rng, rounded, total, np.where(many, MANY + 1, rounded), np.where(many, most, rounded))


def _draw_times(rng: np.random.Generator, groups: Ints, device: Ints) -> tuple[Ints, Ints]:
    day = pick(rng, DAY_SHARES, len(device))
    hours = np.repeat(HOUR_SHARES[:, None], len(AGE), axis=1)
    hours[EARLY] *= np.exp(HOUR_LEANING * AGE)
    hours[LATE] *= np.exp(-HOUR_LEANING * AGE)
    second = pick_rows(rng, hours, groups[device]) * 3600 + rng.integers(0, 3600, len(device))
    first, last = np.flatnonzero(day == 0), np.flatnonzero(day == len(DAYS) - 1)
    second[first] = rng.integers(FIRST_SECOND, 24 * 3600, len(first))
    second[last] = rng.integers(0, LAST_SECOND + 1, len(last))
    return day, second


def _draw_with_apps(rng: np.random.Generator, device: Ints, n_devices: int, total: int) -> Ints:
    """Choose the events that tell of apps: one of nearly every device, others by the device."""
    chance = rng.beta(1.5, 1.5, n_devices)
    chance[rng.random(n_devices) < NO_APPS_SHARE] = 0
    first = np.unique(device, return_index=True)[1]
    always = first[chance > 0][:total]
    odds = chance / (1.02 - chance)
    odds_of_event = odds[device]
    odds_of_event[always] = 0
    more = choose(rng, odds_of_event, total - len(always))
    return np.sort(np.append(always, more))
