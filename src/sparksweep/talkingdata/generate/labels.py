"""Labels of the apps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparksweep.talkingdata.generate.apps import Apps
from sparksweep.talkingdata.generate.catalogue import Labels
from sparksweep.talkingdata.generate.draws import Floats, Ints, choose, proportional, stream
from sparksweep.talkingdata.generate.sizes import Sizes

__all__ = ["label_rows", "theme_codes"]

# Labels of a kind of app rather than of a theme, by their ids in labels.csv.
GAME, TENCENT, CUSTOM, FREE = 795, 794, 405, 714
INDUSTRY, PROPERTY = 548, (704, 713, 854, 710)
OF_POPULAR = (549, 302, 730, 756, 251, 303)
KIND_LABELS = (GAME, TENCENT, CUSTOM, FREE, INDUSTRY, *PROPERTY, *OF_POPULAR)

POPULAR = 2_000  # ranks of apps that are seldom games
OTHER_THEME = 0.03  # chance of a label of another theme, relative to one of the app's own
RICHNESS_SD = 0.8  # some apps have many labels


def theme_codes(labels: Labels) -> tuple[Ints, int]:
    """Give each label the number of its theme, and the number of themes."""
    themes, codes = np.unique(labels.themes, return_inverse=True)
    return codes.astype(np.int64), len(themes)


def label_rows(seed: int, apps: Apps, labels: Labels, sizes: Sizes) -> tuple[Ints, Ints]:
    """Lay out app_labels: apps in random order, each with its labels, and some rows a second time elsewhere.

    Returns
    -------
    apps, labels : int64 arrays, shape (n_rows,)
        Positions in ``Apps.ids`` and ``Labels.ids``.
    """
    rng = stream(seed, "app labels")
    keys = _draw_pairs(rng, apps, labels, sizes.label_rows - sizes.label_repeats)
    app, label = np.divmod(keys, len(labels.ids))
    place = rng.permutation(len(apps.ids))[app] + 0.5 * rng.random(len(keys))
    again = rng.choice(len(keys), sizes.label_repeats, replace=False)
    rows = np.argsort(np.append(place, len(apps.ids) * rng.random(len(again))), kind="stable")
    return np.append(app, app[again])[rows], np.append(label, label[again])[rows]


def _draw_pairs(rng: np.random.Generator, apps: Apps, labels: Labels, total: int) -> Ints:
    """Draw different pairs of app and label, as app * n_labels + label; each app and each label in use has one."""
    in_use = np.flatnonzero(labels.apps)
    counts = proportional(labels.apps[in_use].astype(np.float64), total, low=1)
    count_of = dict(zip(labels.ids[in_use].tolist(), counts.tolist(), strict=True))
    owners = _draw_kinds(rng, apps, count_of)
    seen = np.zeros(len(apps.ids), bool)
    for chosen in owners.values():
        seen[chosen] = True
    themes, _ = theme_codes(labels)
    richness = np.exp(RICHNESS_SD * rng.standard_normal(len(apps.ids)))
    position = {label: index for index, label in enumerate(labels.ids.tolist())}
    for label, count in sorted(count_of.items(), key=lambda item: -item[1]):
        if label in owners:
            continue
        weights = richness * np.where(apps.themes == themes[position[label]], 1, OTHER_THEME) * np.where(seen, 1, 20)
        owners[label] = _owners(rng, weights, count, apps.used, bool(labels.opened[position[label]]))
        seen[owners[label]] = True
    keys = np.concatenate([chosen * len(labels.ids) + position[label] for label, chosen in owners.items()])
    return _without_bare(rng, keys, len(apps.ids), len(labels.ids), position[CUSTOM])


def _draw_kinds(rng: np.random.Generator, apps: Apps, count_of: dict[int, int]) -> dict[int, Ints]:
    """Draw the apps of the labels that tell the kind of an app: a game, of an industry, or neither."""
    n = len(apps.ids)
    rank = np.arange(n)
    popular, used = rank < POPULAR, rank < apps.used
    owners = {GAME: choose(rng, np.where(popular, 0.1, np.where(used, 0.5, 1.0)), count_of[GAME])}
    game = _mask(owners[GAME], n)
    owners[TENCENT] = choose(rng, np.where(game, 1.0, 1e-4), count_of[TENCENT])
    owners[CUSTOM] = choose(rng, np.where(game, 1.0, 0.17), count_of[CUSTOM])
    owners[FREE] = choose(rng, np.where(game, 1.0, 1e-4), count_of[FREE])
    owners[INDUSTRY] = choose(rng, np.where(game, 1e-4, np.where(used, 4.0, 1.0)), count_of[INDUSTRY])
    industry = _mask(owners[INDUSTRY], n)
    for label in PROPERTY:
        owners[label] = choose(rng, np.where(industry, 1.0, 1e-4), count_of[label])
    for label in OF_POPULAR:
        owners[label] = choose(rng, np.where(industry, 1 + 8.0 * used, 1e-4), count_of[label])
    return owners


def _mask(chosen: Ints, n: int) -> NDArray[np.bool_]:
    mask = np.zeros(n, bool)
    mask[chosen] = True
    return mask


def _owners(rng: np.random.Generator, weights: Floats, count: int, n_used: int, opened: bool) -> Ints:
    """Choose count apps; of a label that is opened one at least is in use, of another none."""
    if not opened:
        return choose(rng, weights[n_used:], count) + n_used
    owners = choose(rng, weights, count)
    if owners[0] >= n_used:  # ascending, so none is in use
        owners[:1] = choose(rng, weights[:n_used], 1)
    return owners


def _without_bare(rng: np.random.Generator, keys: Ints, n_apps: int, n_labels: int, spare: int) -> Ints:
    """Give each app that has no label the spare one of an app that has several, so that each label's count stays."""
    app, label = np.divmod(keys, n_labels)
    counts = np.bincount(app, minlength=n_apps)
    bare = np.flatnonzero(counts == 0)
    givers = np.flatnonzero((label == spare) & (counts[app] > 1))
    keys[rng.choice(givers, len(bare), replace=False)] = bare * n_labels + spare
    return keys
