"""What is the same in every generated data set: phones and the texts of the labels, as data files of this package.

The brands are real words. Their shares, and those of the best known models, follow public counts of the real files; all
other models, and nearly all label texts, are made up.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from sparksweep.talkingdata.generate.draws import Floats, Ints

__all__ = ["LARGE_BRANDS", "Labels", "Phones", "read_labels", "read_phones"]

# brand: how likely its owners are to have events (others: 0.9), log odds for men, shift of the owners' mean age in
# standard deviations. The large ones have fixed leanings, so that the signal is about as strong with any seed.
LARGE_BRANDS = {
    "小米": (1.05, 0.15, -0.15),
    "三星": (0.7, -0.1, 0.3),
    "华为": (1.55, 0.4, 0.25),
    "OPPO": (0.95, -0.65, -0.25),
    "vivo": (0.9, -0.65, -0.3),
    "魅族": (1.15, 0.5, -0.25),
    "酷派": (0.6, 0.1, 0.25),
    "联想": (0.5, 0.2, 0.2),
    "HTC": (0.7, -0.2, 0.3),
}
OTHER_EVENTS_WEIGHT = 0.9


@dataclass(frozen=True)
class Phones:
    """The phones on the market, one entry for each pair of brand and model.

    Attributes
    ----------
    brands, models : tuple of str
        Texts of the two columns; one model ends with a space, some models have more than one brand.
    brand_codes : int64 array
        The brand of each phone as a number.
    devices : float64 array
        Expected number of devices among the 186,716 of the real file.
    events_weight : float64 array
        How likely the owners are to have events, relative to the owners of others.
    """

    brands: tuple[str, ...]
    models: tuple[str, ...]
    brand_codes: Ints
    devices: Floats
    events_weight: Floats

    def __len__(self) -> int:
        return len(self.models)


@dataclass(frozen=True)
class Labels:
    """The labels an app may have.

    Attributes
    ----------
    ids : int64 array, shape (930,)
        1 to 1021 with gaps, ascending.
    texts : tuple of str
        Category of each, empty for three.
    themes : tuple of str
        What each label is about: an app takes most of its small labels from one theme.
    apps : int64 array
        Apps that have the label in the real size, 0 for the 423 that none has.
    opened : bool array
        Whether an app that app_events names may have the label (492).
    """

    ids: Ints
    texts: tuple[str, ...]
    themes: tuple[str, ...]
    apps: Ints
    opened: NDArray[np.bool_]


def _rows(name: str) -> list[dict[str, str]]:
    text = files("sparksweep.talkingdata.generate").joinpath("data", name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def read_phones() -> Phones:
    """Read the 1,667 phones of 131 brands."""
    rows = _rows("models.csv")
    brands = tuple(row["phone_brand"] for row in rows)
    return Phones(
        brands=brands,
        models=tuple(row["device_model"] for row in rows),
        brand_codes=np.unique(brands, return_inverse=True)[1],
        devices=np.array([float(row["devices"]) for row in rows]),
        events_weight=np.array([LARGE_BRANDS[b][0] if b in LARGE_BRANDS else OTHER_EVENTS_WEIGHT for b in brands]),
    )


@cache
def read_labels() -> Labels:
    """Read the 930 labels."""
    rows = _rows("labels.csv")
    return Labels(
        ids=np.array([int(row["label_id"]) for row in rows]),
        texts=tuple(row["category"] for row in rows),
        themes=tuple(row["theme"] for row in rows),
        apps=np.array([int(row["apps"]) for row in rows]),
        opened=np.array([row["opened"] == "1" for row in rows]),
    )
