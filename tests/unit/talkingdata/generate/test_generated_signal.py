"""What is planted, what is not, and the counts of the real size (in memory, no files)."""

from __future__ import annotations

import numpy as np
import pytest

from sparksweep.talkingdata.generate.apps import make_apps
from sparksweep.talkingdata.generate.catalogue import LARGE_BRANDS, read_labels, read_phones
from sparksweep.talkingdata.generate.devices import make_devices, phone_rows
from sparksweep.talkingdata.generate.draws import proportional
from sparksweep.talkingdata.generate.events import _draw_counts
from sparksweep.talkingdata.generate.installs import make_installs
from sparksweep.talkingdata.generate.labels import label_rows, theme_codes
from sparksweep.talkingdata.generate.signal import leanings
from sparksweep.talkingdata.generate.sizes import GROUPS, sizes_at

pytestmark = pytest.mark.slow

MALE = np.array([group.startswith("M") for group in GROUPS])


@pytest.fixture(scope="module")
def real_size():
    return sizes_at(1)


@pytest.fixture(scope="module")
def devices(real_size):
    return make_devices(0, real_size, read_phones())


@pytest.fixture(scope="module")
def group_shares(devices):
    return np.bincount(devices.groups[devices.with_events], minlength=12).astype(float)


def test_the_real_size_has_the_real_counts(real_size):
    assert dict(zip(GROUPS, real_size.train_groups.tolist(), strict=True)) == {
        group: devices for group, (devices, *_) in GROUPS.items()
    }
    assert (real_size.train, real_size.test, real_size.events) == (74_645, 112_071, 3_252_950)
    assert (real_size.events_with_apps, real_size.app_rows) == (1_488_096, 32_473_067)
    assert (real_size.apps, real_size.apps_used, real_size.label_rows) == (113_211, 19_237, 459_943)
    with_events = real_size.train_with_events + real_size.test_with_events + real_size.unknown
    assert (real_size.train_with_events, with_events) == (23_309, 60_865)
    assert real_size.train + real_size.test + sum(real_size.repeated + real_size.conflicting) == 187_245


def test_the_real_size_has_every_phone(devices, real_size):
    phones = read_phones()
    device, phone = phone_rows(0, devices, phones, real_size)
    first = np.unique(device, return_index=True)[1]
    np.testing.assert_array_equal(phone[first], devices.phones)  # the first of two rows is the true one
    owned = np.unique(devices.phones)
    assert len(owned) == 1667
    assert len({phones.models[index] for index in owned}) == 1599
    assert len({phones.brands[index] for index in owned}) == 131
    assert len(device) == 187_245


def test_the_real_size_has_the_real_spread_of_events(real_size):
    counts = _draw_counts(0, real_size)
    train = counts[: real_size.train_with_events]
    assert (counts.sum(), train.sum(), counts.max(), train.max()) == (3_252_950, 1_215_595, 33_426, 4_150)
    assert np.median(train) == pytest.approx(15, abs=2)
    assert np.mean(train == 1) == pytest.approx(0.102, abs=0.01)
    assert np.mean(train > 52) == pytest.approx(0.244, abs=0.03)


@pytest.mark.parametrize("scale", [0.001, 0.0015])
def test_very_few_devices_have_all_events_and_the_dirty_phones(scale):
    phones, sizes = read_phones(), sizes_at(scale)
    for seed in range(20):
        counts = _draw_counts(seed, sizes)
        assert (counts.sum(), counts.min()) == (sizes.events, 1)
        owned = np.unique(make_devices(seed, sizes, phones).phones)
        models = [phones.models[index] for index in owned]
        assert len(set(models)) < len(models)
        assert any(model.endswith(" ") for model in models)


def test_the_real_size_has_the_real_labels(real_size):
    labels = read_labels()
    assert labels.apps.sum() == 459_943 - 491 == real_size.label_rows - real_size.label_repeats
    assert {i: labels.apps[labels.ids == i][0] for i in (548, 405, 794, 795)} == {
        548: 56_900,
        405: 53_936,
        794: 49_320,
        795: 48_707,
    }
    assert ((labels.apps > 0).sum(), labels.opened.sum()) == (507, 492)


def test_labels_keep_their_counts_and_no_app_goes_without(group_shares):
    labels, sizes = read_labels(), sizes_at(0.05)
    apps = make_apps(0, sizes, theme_codes(labels)[1], group_shares)
    app, label = label_rows(0, apps, labels, sizes)
    pairs = np.unique(app * 1000 + label)
    assert len(pairs) == sizes.label_rows - sizes.label_repeats == len(app) - sizes.label_repeats
    expected = proportional(labels.apps[labels.apps > 0].astype(float), len(pairs), low=1)
    np.testing.assert_array_equal(np.bincount(pairs % 1000, minlength=930)[labels.apps > 0], expected)
    per_app = np.bincount(pairs // 1000, minlength=sizes.apps)
    assert 1 == per_app.min() < per_app.max() <= 26
    assert per_app.mean() == pytest.approx(4.06, abs=0.01)


def test_devices_with_events_are_older_and_more_often_of_men(devices, real_size):
    train = devices.groups[: real_size.train]
    seen = train[devices.with_events[: real_size.train_with_events]]
    assert MALE[train].mean() == pytest.approx(0.642, abs=0.001)
    assert MALE[seen].mean() == pytest.approx(0.696, abs=0.012)
    codes = {group: code for code, group in enumerate(GROUPS)}
    assert np.mean(seen == codes["M39+"]) == pytest.approx(0.144, abs=0.006)
    assert np.mean(seen == codes["F23-"]) == pytest.approx(0.052, abs=0.004)


def test_ages_have_the_real_quantiles(devices):
    quantiles = np.quantile(devices.ages, [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99])
    np.testing.assert_allclose(quantiles, [18, 20, 25, 29, 36, 51, 64], atol=1)
    assert devices.ages.mean() == pytest.approx(31.41, abs=0.3)


def test_leanings_keep_popularity():
    shares = np.arange(1.0, 13)
    factors = leanings(np.array([0.0, 2.0]), np.array([0.0, -0.5]), np.zeros((2, 12)), shares)
    np.testing.assert_allclose(factors[0], 1)
    np.testing.assert_allclose(factors @ shares / shares.sum(), 1)
    assert factors[1][MALE].min() > factors[1][~MALE].max()


def test_brands_lean_as_the_catalogue_says(devices, real_size):
    phones = read_phones()
    train = devices.phones[: real_size.train]
    male = MALE[devices.groups[: real_size.train]]
    share = {
        brand: male[np.array([phones.brands[i] == brand for i in range(len(phones))])[train]].mean()
        for brand in LARGE_BRANDS
    }
    ordered = sorted(LARGE_BRANDS, key=lambda brand: LARGE_BRANDS[brand][1])
    assert share[ordered[0]] < 0.56 < 0.7 < share[ordered[-1]]


def test_apps_are_found_where_their_appeal_says(group_shares):
    sizes = sizes_at(0.02)
    apps = make_apps(3, sizes, theme_codes(read_labels())[1], group_shares)
    groups = np.repeat(np.arange(12), 500)
    installs = make_installs(3, apps, groups)
    owner = np.repeat(np.arange(len(groups)), np.diff(installs.start))
    assert len(np.unique(owner * apps.used + installs.app)) == len(owner)
    top = slice(10, 60)
    found = np.zeros((12, apps.used))
    np.add.at(found, (groups[owner], installs.app), 1)
    ratio = found[:, top] / found[:, top].mean(axis=0)
    expected = apps.appeal[top].T / apps.appeal[top].T.mean(axis=0)
    assert np.corrcoef(ratio.ravel(), expected.ravel())[0, 1] > 0.9
    assert np.log(apps.appeal[top]).std() > 0.2
    assert np.all(found.sum(axis=0) > 0)


def test_the_order_of_rows_says_nothing_about_the_group(devices, real_size):
    blocks = np.arange(real_size.train) // 1500
    table = np.zeros((blocks.max() + 1, 12))
    np.add.at(table, (blocks, devices.groups[: real_size.train]), 1)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    chi2 = ((table - expected) ** 2 / expected).sum()
    degrees = (len(table) - 1) * 11
    assert chi2 < degrees + 5 * (2 * degrees) ** 0.5  # the real file: 5,800 on 539
