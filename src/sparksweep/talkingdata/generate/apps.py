"""Apps: how popular each is, whom it appeals to, what it is about and how often it is active."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparksweep.talkingdata.generate.devices import draw_ids
from sparksweep.talkingdata.generate.draws import Floats, Ints, stream
from sparksweep.talkingdata.generate.signal import leanings
from sparksweep.talkingdata.generate.sizes import GROUPS, Sizes

__all__ = ["Apps", "make_apps"]

# Devices of train that have the app at a rank of popularity (real file; the last two ranks are beyond train's apps).
RANKS = (1, 2, 3, 4, 5, 6, 7, 19, 184, 356, 1205, 1825, 3949, 5612, 6881, 13762, 19237)
RANK_DEVICES = (21645, 19720, 19084, 15024, 8406, 7972, 7649, 5000, 1000, 500, 100, 50, 10, 5, 3, 0.8, 0.4)
DEVICES = 22_500  # of train whose events tell of apps

# Strength of the apps' leanings: standard deviations of what a theme and an app add.
THEME_GENDER, THEME_AGE = 0.165, 0.1
APP_GENDER, APP_AGE, APP_OWN = 0.39, 0.28, 0.11
# What nearly everybody has says less about its owners.
UNIVERSAL_SHARE, UNIVERSAL_STRENGTH = 0.5, 0.3


@dataclass(frozen=True)
class Apps:
    """All apps that have labels; the first ``len(shares)`` of them are in use, the most popular one first.

    Attributes
    ----------
    ids : int64 array, shape (n_apps,)
        Unique, uniform over the signed 64-bit range.
    themes : int64 array, shape (n_apps,)
        Number of the theme, see ``Labels.themes``.
    shares : float64 array, shape (n_used,)
        Share of the devices that have the app.
    appeal : float64 array, shape (n_used, 12)
        Factor by which each group differs from that.
    active : uint8 array, shape (n_used,)
        Chance, in 1/256, that an installed app is active.
    """

    ids: Ints
    themes: Ints
    shares: Floats
    appeal: Floats
    active: NDArray[np.uint8]

    @property
    def used(self) -> int:
        """Number of apps in use."""
        return len(self.shares)


def make_apps(seed: int, sizes: Sizes, n_themes: int, group_shares: Floats) -> Apps:
    """Draw all apps; group_shares, shape (12,), are those of the devices with events."""
    n = sizes.apps_used
    themes = stream(seed, "app themes").integers(0, n_themes, sizes.apps)
    shares = np.exp(np.interp(np.log(np.arange(1, n + 1)), np.log(RANKS), np.log(RANK_DEVICES))) / DEVICES
    rng = stream(seed, "app activity")
    return Apps(
        ids=draw_ids(stream(seed, "app ids"), sizes.apps),
        themes=themes,
        shares=shares,
        appeal=_draw_appeal(stream(seed, "appeal"), shares, themes[:n], n_themes, group_shares),
        active=np.clip(rng.normal(100, 22, n), 20, 200).astype(np.uint8),
    )


def _draw_appeal(rng: np.random.Generator, shares: Floats, themes: Ints, n_themes: int, group_shares: Floats) -> Floats:
    n = len(shares)
    strength = np.where(shares > UNIVERSAL_SHARE, UNIVERSAL_STRENGTH, 1.0)
    # Student's t: a few apps are nearly all men's or women's.
    gender = rng.normal(0, THEME_GENDER, n_themes)[themes] + APP_GENDER * rng.standard_t(5, n)
    age = rng.normal(0, THEME_AGE, n_themes)[themes] + APP_AGE * rng.standard_t(8, n)
    own = APP_OWN * rng.standard_normal((n, len(GROUPS)))
    return leanings(strength * gender, strength * age, strength[:, None] * own, group_shares)
