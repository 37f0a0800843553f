"""Devices: who owns them, which phone each is, and which of them have events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sparksweep.talkingdata.generate.catalogue import LARGE_BRANDS, Phones
from sparksweep.talkingdata.generate.draws import Floats, Ints, choose, distinct, pick, pick_rows, stream
from sparksweep.talkingdata.generate.signal import leanings
from sparksweep.talkingdata.generate.sizes import GROUPS, Sizes

__all__ = ["Devices", "draw_ids", "make_devices", "phone_rows"]

# Strength of the phones' leanings: standard deviations of what a brand and a model add.
BRAND_GENDER, BRAND_AGE, BRAND_OWN = 0.4, 0.25, 0.05
MODEL_GENDER, MODEL_AGE, MODEL_OWN = 0.4, 0.27, 0.05

# Share of people no older than an age, after quantiles of the real file.
AGES = (0, 10, 15, 17, 19, 24, 28, 35, 50, 63, 75, 96)
AGE_SHARES = (0, 0.0008, 0.0025, 0.0085, 0.045, 0.245, 0.49, 0.735, 0.942, 0.9875, 0.998, 1)


@dataclass(frozen=True)
class Devices:
    """All devices: those of train first, then test, then those that only events know.

    Attributes
    ----------
    ids : int64 array, shape (n_devices,)
        Unique, uniform over the signed 64-bit range, in the order of the files.
    groups : int64 array, shape (n_devices,)
        Number of the owner's group in ``GROUPS``.
    ages : int64 array, shape (n_train,)
        Age in years of the owners in train.
    phones : int64 array, shape (n_train + n_test,)
        Number of the phone in the catalogue.
    with_events : int64 array
        The devices that have events, ascending.
    """

    ids: Ints
    groups: Ints
    ages: Ints
    phones: Ints
    with_events: Ints


def draw_ids(rng: np.random.Generator, n: int) -> Ints:
    """Draw n different signed 64-bit numbers, uniform over the range, in random order."""
    limits = np.iinfo(np.int64)
    drawn: Ints = np.zeros(0, np.int64)
    while len(drawn) < n:
        drawn = distinct(np.append(drawn, rng.integers(limits.min, limits.max, n - len(drawn), endpoint=True)))
    return rng.permutation(drawn)


def make_devices(seed: int, sizes: Sizes, phones: Phones) -> Devices:
    """Draw all devices of a data set."""
    known = sizes.train + sizes.test
    rng = stream(seed, "groups")
    groups = np.concatenate(
        [
            rng.permutation(np.repeat(np.arange(len(GROUPS)), sizes.train_groups)),
            rng.permutation(np.repeat(np.arange(len(GROUPS)), sizes.test_groups)),
            pick(rng, _events_weights() * sizes.train_groups, sizes.unknown),
        ]
    )
    owned = _draw_phones(seed, phones, groups[:known], sizes)
    shares = _events_weights()[groups[:known]] * phones.events_weight[owned]
    shares = np.minimum(shares / shares.mean() * (sizes.train_with_events / sizes.train), 0.95)
    weights = -np.log1p(-shares)  # so that choose takes each with about its share
    rng = stream(seed, "with events")
    return Devices(
        ids=draw_ids(stream(seed, "device ids"), known + sizes.unknown),
        groups=groups,
        ages=_draw_ages(seed, groups[: sizes.train]),
        phones=owned,
        with_events=np.concatenate(
            [
                choose(rng, weights[: sizes.train], sizes.train_with_events),
                choose(rng, weights[sizes.train :], sizes.test_with_events) + sizes.train,
                np.arange(known, known + sizes.unknown),
            ]
        ),
    )


def _events_weights() -> Floats:
    return np.array([weight for *_, weight in GROUPS.values()])


def _draw_ages(seed: int, groups: Ints) -> Ints:
    years = np.arange(1, AGES[-1] + 1)
    shares = np.diff(np.interp(np.arange(AGES[-1] + 1), AGES, AGE_SHARES))
    inside = [(years >= youngest) & (years <= oldest) for _, youngest, oldest, _ in GROUPS.values()]
    return pick_rows(stream(seed, "ages"), shares[:, None] * np.column_stack(inside), groups) + 1


def _draw_phones(seed: int, phones: Phones, groups: Ints, sizes: Sizes) -> Ints:
    rng = stream(seed, "phones")
    brand, n_groups = phones.brand_codes, len(GROUPS)
    n_brands, n_phones = int(brand.max()) + 1, len(phones)
    brand_gender, brand_age = rng.normal(0, BRAND_GENDER, n_brands), rng.normal(0, BRAND_AGE, n_brands)
    for name, (_, gender_leaning, age_leaning) in LARGE_BRANDS.items():
        code = brand[phones.brands.index(name)]
        brand_gender[code], brand_age[code] = gender_leaning, age_leaning
    gender = brand_gender[brand] + rng.normal(0, MODEL_GENDER, n_phones)
    age = brand_age[brand] + rng.normal(0, MODEL_AGE, n_phones)
    own = rng.normal(0, BRAND_OWN, (n_brands, n_groups))[brand] + rng.normal(0, MODEL_OWN, (n_phones, n_groups))
    factors = leanings(gender, age, own, sizes.train_groups.astype(np.float64))
    owned = pick_rows(rng, phones.devices[:, None] * factors, groups)
    return _with_required(rng, phones, owned)


def _with_required(rng: np.random.Generator, phones: Phones, owned: Ints) -> Ints:
    """Hand phones that must be there to owners of common ones: all of them in the real size, else two kinds of dirt."""
    required = np.arange(len(phones)) if len(owned) >= int(phones.devices.sum()) - 1000 else _dirty_phones(phones)
    while len(missing := np.setdiff1d(required, owned)):
        common = np.bincount(owned, minlength=len(phones)).astype(np.float64)
        common[required[common[required] <= 1]] = 0
        owned[choose(rng, common[owned], len(missing))] = missing
    return owned


def _dirty_phones(phones: Phones) -> Ints:
    """Find the models that end with a space, and the first model that has more than one brand."""
    spaced = [index for index, model in enumerate(phones.models) if model != model.strip()]
    first: dict[str, int] = {}
    for index, model in enumerate(phones.models):
        if first.setdefault(model, index) != index:
            return np.array([*spaced, first[model], index])
    raise ValueError("models.csv has no model of two brands")


def phone_rows(seed: int, devices: Devices, phones: Phones, sizes: Sizes) -> tuple[Ints, Ints]:
    """Lay out the phone file: each device's row, in random order, and the rows of those that come twice.

    Returns
    -------
    devices, phones : int64 arrays, shape (n_rows,)
        Of two rows of one device the first names its true phone.
    """
    rng = stream(seed, "phone rows")
    n_known = len(devices.phones)
    order = rng.permutation(n_known)
    twice = [
        rng.choice(np.arange(start, stop), repeated + conflicting, replace=False)
        for start, stop, repeated, conflicting in (
            (0, sizes.train, sizes.repeated[0], sizes.conflicting[0]),
            (sizes.train, n_known, sizes.repeated[1], sizes.conflicting[1]),
        )
    ]
    again = np.concatenate(twice)
    conflicting = np.concatenate([twice[0][sizes.repeated[0] :], twice[1][sizes.repeated[1] :]])
    other = devices.phones.copy()
    step = rng.integers(1, len(phones), len(conflicting))
    other[conflicting] = (devices.phones[conflicting] + step) % len(phones)
    # The second row stands anywhere after the first.
    place = np.empty(n_known)
    place[order] = np.arange(n_known)
    later = place[again] + (n_known - place[again]) * (1 - rng.random(len(again)))
    rows = np.argsort(np.append(place, later), kind="stable")
    return np.append(np.arange(n_known), again)[rows], np.append(devices.phones, other[again])[rows]
