"""What a group prefers: the planted signal.

Each phone and each app leans to one gender and to one age, each by its own strength, and a little to single groups
for no reason. ``leanings`` turns that into a factor for each group whose mean over the groups is 1, so that leaning
moves an app between groups and leaves its popularity alone.
"""

from __future__ import annotations

import numpy as np

from sparksweep.talkingdata.generate.draws import Floats
from sparksweep.talkingdata.generate.sizes import GROUPS

__all__ = ["AGE", "GENDER", "leanings"]

# Half the log odds between the genders, and the mean age of each group in standard deviations from the mean of all.
GENDER: Floats = np.array([0.5 if group.startswith("M") else -0.5 for group in GROUPS])
AGE: Floats = (np.array([21, 25, 27.5, 30.4, 36.8, 51, 20, 24.6, 27.5, 30, 34.7, 46]) - 31.4) / 9.87


def leanings(gender: Floats, age: Floats, own: Floats, group_shares: Floats) -> Floats:
    """Give the factor by which each group's interest in each item differs from the mean.

    Parameters
    ----------
    gender : float64 array, shape (n_items,)
        Log of the odds for men over women.
    age : float64 array, shape (n_items,)
        Shift of the owners' mean age, in standard deviations.
    own : float64 array, shape (n_items, 12)
        Log factors of single groups.
    group_shares : float64 array, shape (12,)
        Weights of the mean that is kept at 1.

    Returns
    -------
    float64 array, shape (n_items, 12)
    """
    factors = np.exp(np.outer(gender, GENDER) + np.outer(age, AGE) + own)
    scaled: Floats = factors / (factors @ (group_shares / group_shares.sum()))[:, None]
    return scaled
