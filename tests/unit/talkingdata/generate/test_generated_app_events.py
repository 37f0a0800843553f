"""Which of a device's apps each event tells of."""

from __future__ import annotations

import numpy as np
import pytest

from sparksweep.talkingdata.generate.app_events import _shown_apps
from sparksweep.talkingdata.generate.draws import stream
from sparksweep.talkingdata.generate.installs import Installs, draw_shown

pytestmark = pytest.mark.slow

# Device 0 has apps 0 to 9, the first two of them its core; device 1 has app 5 only.
INSTALLS = Installs(np.array([0, 10, 11]), np.array([*range(10), 5], np.int32), np.array([2, 1]))


def test_the_core_is_always_shown_and_the_others_take_turns():
    shown = np.full(400, 4)
    apps = _shown_apps(stream(0, "test"), INSTALLS, np.zeros(400, np.int64), shown).reshape(400, 4)
    assert all(len(set(event)) == 4 for event in apps.tolist())
    counts = np.bincount(apps.ravel(), minlength=10)
    assert counts[:2].tolist() == [400, 400]
    assert counts[2:].min() > 60  # 100 each on average


def test_events_show_all_apps_of_a_device_or_its_only_one():
    apps = _shown_apps(stream(0, "test"), INSTALLS, np.array([1, 0, 1]), np.array([1, 10, 1]))
    assert (apps[0], apps[-1]) == (5, 5)
    assert sorted(apps[1:-1].tolist()) == list(range(10))


def test_fewer_apps_than_the_core_are_the_first_of_it():
    assert _shown_apps(stream(0, "test"), INSTALLS, np.array([0]), np.array([1])).tolist() == [0]


def test_the_first_event_of_a_device_shows_all_its_apps_and_the_total_is_met():
    device = np.array([1, 0, 0, 0, 1, 0])
    shown = draw_shown(0, INSTALLS, device, 30)
    assert shown.sum() == 30
    assert (shown[0], shown[1], shown[4]) == (1, 10, 1)
    assert shown[[2, 3, 5]].min() >= 2


def test_more_rows_than_the_devices_have_apps_for_are_not_made():
    assert draw_shown(0, INSTALLS, np.array([1, 0, 0]), 500).tolist() == [1, 10, 10]
