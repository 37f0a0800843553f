"""``category_word``, not one of the scenario's eight: 1 for each word of the categories that the device has.

The original sample's code made this its seventh set.
"""

from __future__ import annotations

from sparksweep.features import FeatureSet, bag
from sparksweep.talkingdata.facts import Facts

__all__ = ["category_word"]


def category_word(facts: Facts) -> tuple[FeatureSet, ...]:
    """Return the set ``category_word``."""
    words = facts.categories.assign(word=facts.categories["category"].str.split(" ")).explode("word")
    return (bag("category_word", facts.apps, "word", through=words),)
