"""How many of everything: the real competition's counts, and what they become at another scale.

Devices, events and app rows shrink in proportion. What they refer to shrinks slower (apps, their labels) or not at all
(the label texts), as in a true sample of the devices, so that small data still has wide matrices.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sparksweep.errors import UsageError
from sparksweep.talkingdata.generate.draws import Ints, proportional

__all__ = ["GROUPS", "MAX_SCALE", "MIN_SCALE", "Sizes", "sizes_at"]

MIN_SCALE = 0.001  # 75 train devices: 5 for each group, and a fold of each
MAX_SCALE = 10.0
MIN_GROUP = 5

# group: (train devices of the real file, youngest age, oldest age, share of devices with events over share of all)
GROUPS: dict[str, tuple[int, int, int, float]] = {
    "F23-": (5050, 1, 23, 5.2 / 6.8),
    "F24-26": (4190, 24, 26, 4.2 / 5.6),
    "F27-28": (3118, 27, 28, 3.6 / 4.2),
    "F29-32": (4628, 29, 32, 5.3 / 6.2),
    "F33-42": (5561, 33, 42, 7.0 / 7.5),
    "F43+": (4194, 43, 96, 5.1 / 5.6),
    "M22-": (7488, 1, 22, 7.6 / 10.0),
    "M23-26": (9605, 23, 26, 12.6 / 12.9),
    "M27-28": (5445, 27, 28, 7.9 / 7.3),
    "M29-31": (7309, 29, 31, 11.4 / 9.8),
    "M32-38": (9476, 32, 38, 15.7 / 12.7),
    "M39+": (8581, 39, 96, 14.4 / 11.5),
}


@dataclass(frozen=True)
class Sizes:
    """Counts of one generated data set.

    Attributes
    ----------
    train_groups, test_groups : int64 array, shape (12,)
        Devices of each group, in the order of ``GROUPS``; a test device has a group too, it is only not told.
    train_with_events, test_with_events, unknown : int
        Devices that events know; the unknown ones are in neither train nor test.
    repeated, conflicting : tuple of int
        Train and test devices that have the same phone row twice, and two different ones.
    train_events, test_events, unknown_events : int
        Rows of events by the kind of their device.
    heaviest : tuple of int
        Events of the three test devices that have most.
    events_with_apps, app_rows : int
        Events that app_events tells of, and its rows.
    apps, apps_used : int
        Apps that have labels, and those of them that app_events names.
    label_rows, label_repeats : int
        Rows of app_labels, and those among them that say again what another says.
    shrink : float
        What the numbers of apps and of their labels were multiplied by.
    """

    train_groups: Ints
    test_groups: Ints
    train_with_events: int
    test_with_events: int
    unknown: int
    repeated: tuple[int, int]
    conflicting: tuple[int, int]
    train_events: int
    test_events: int
    unknown_events: int
    heaviest: tuple[int, int, int]
    events_with_apps: int
    app_rows: int
    apps: int
    apps_used: int
    label_rows: int
    label_repeats: int
    shrink: float

    @property
    def train(self) -> int:
        """Rows of gender_age_train."""
        return int(self.train_groups.sum())

    @property
    def test(self) -> int:
        """Rows of gender_age_test."""
        return int(self.test_groups.sum())

    @property
    def events(self) -> int:
        """Rows of events."""
        return self.train_events + self.test_events + self.unknown_events


def sizes_at(scale: float) -> Sizes:
    """Say how many of everything a data set of this scale has.

    Parameters
    ----------
    scale : float
        1 is the size of the real files.

    Returns
    -------
    Sizes

    Raises
    ------
    UsageError
        The scale is no number, or outside ``MIN_SCALE`` to ``MAX_SCALE``.
    """
    if not math.isfinite(scale) or not MIN_SCALE <= scale <= MAX_SCALE:
        raise UsageError(
            f"scale: {scale} is not between {MIN_SCALE:g} and {MAX_SCALE:g}; "
            "1 makes as many rows as the real files have, 0.01 is a good start"
        )
    shrink = math.pow(scale, 0.4)

    def scaled(count: int, low: int = 1) -> int:
        return max(low, round(count * scale))

    def shrunk(count: int) -> int:
        return round(count * shrink)

    weights = np.array([devices for devices, *_ in GROUPS.values()], dtype=np.float64)
    return Sizes(
        train_groups=proportional(weights, scaled(74_645), low=MIN_GROUP),
        test_groups=proportional(weights, scaled(112_071)),
        train_with_events=scaled(23_309),
        test_with_events=scaled(35_194),
        unknown=scaled(2_362),
        repeated=(scaled(193), scaled(330)),
        conflicting=(scaled(1), scaled(5)),
        train_events=scaled(1_215_595),
        test_events=scaled(1_943_019),
        unknown_events=scaled(94_336),
        heaviest=(scaled(33_426), scaled(14_120), scaled(10_480)),
        events_with_apps=scaled(1_488_096),
        app_rows=scaled(32_473_067),
        apps=shrunk(113_211),
        apps_used=shrunk(19_237),
        label_rows=shrunk(459_943),
        label_repeats=max(1, shrunk(491)),
        shrink=shrink,
    )
