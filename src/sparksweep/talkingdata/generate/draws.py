"""Random numbers for the generator: a stream for each purpose, and draws whose totals are exact."""

from __future__ import annotations

from zlib import crc32

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Floats",
    "Ints",
    "choose",
    "distinct",
    "pick",
    "pick_rows",
    "proportional",
    "settle",
    "stratified",
    "stream",
]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def stream(seed: int, purpose: str, part: int = 0) -> np.random.Generator:
    """Open the random stream of one purpose, so that a change in one table leaves the draws of the others alone.

    Parameters
    ----------
    seed : int
        The user's seed.
    purpose : str
        Name of what is drawn.
    part : int, default=0
        Number of the chunk, where one purpose is drawn in chunks.

    Returns
    -------
    numpy.random.Generator
        Over PCG64, named rather than left to numpy's default, which may change.
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(crc32(purpose.encode()), part))))


def distinct(values: Ints) -> Ints:
    """Give the different values, ascending, by sorting (numpy.unique hashes since 2.3, some ten times slower here)."""
    ordered = np.sort(values)
    keep = np.ones(len(ordered), bool)
    keep[1:] = ordered[1:] != ordered[:-1]
    return ordered[keep]


def stratified(rng: np.random.Generator, n: int) -> Floats:
    """Draw n numbers of [0, 1), one from each of n equal steps, in random order: heavy tails keep their total."""
    drawn: Floats = rng.permutation((np.arange(n) + rng.random(n)) / max(n, 1))
    return drawn


def pick(rng: np.random.Generator, weights: Floats, n: int) -> Ints:
    """Draw n indices with replacement, in proportion to weights."""
    cumulative = np.cumsum(weights)
    # The last step is cut off by hand: rounding may leave a draw just above the last sum.
    found = np.searchsorted(cumulative, rng.random(n) * cumulative[-1], side="right")
    drawn: Ints = np.minimum(found, len(weights) - 1)
    return drawn


def pick_rows(rng: np.random.Generator, weights: Floats, classes: NDArray[np.integer]) -> Ints:
    """Draw one row index for each element of classes, from that class's column of weights, with replacement.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the draws.
    weights : float64 array, shape (n_rows, n_classes)
        Relative chance of each row within each class.
    classes : int array, shape (n_draws,)
        Column of each draw.

    Returns
    -------
    int64 array, shape (n_draws,)
    """
    drawn = np.zeros(len(classes), np.int64)
    for code in range(weights.shape[1]):
        members = np.flatnonzero(classes == code)
        drawn[members] = pick(rng, weights[:, code], len(members))
    return drawn


def choose(rng: np.random.Generator, weights: Floats, k: int) -> Ints:
    """Choose k different indices, ascending; a weight of 0 comes last (exponential keys: Efraimidis, Spirakis 2006)."""
    if k >= len(weights):
        return np.arange(len(weights))
    with np.errstate(divide="ignore"):
        keys = rng.standard_exponential(len(weights)) / weights
    return np.sort(np.argpartition(keys, k)[:k])


def proportional(weights: Floats, total: int, low: int = 0) -> Ints:
    """Split a total into whole shares in proportion to weights, none below low (largest remainders, earlier one first).

    Raises
    ------
    ValueError
        The total is too small to give each share its low.
    """
    if total < low * len(weights):
        raise ValueError(f"{total} is less than {low} for each of {len(weights)} shares")
    exact = weights / weights.sum() * total
    shares: Ints = np.maximum(np.floor(exact).astype(np.int64), low)
    missing = total - int(shares.sum())
    if missing >= 0:
        shares[np.argsort(shares - exact, kind="stable")[:missing]] += 1
        return shares
    for _ in range(-missing):  # the floors cost more than the remainders gave: the largest share pays
        shares[np.argmax(shares)] -= 1
    return shares


def settle(rng: np.random.Generator, counts: Ints, total: int, low: Ints | int, high: Ints | int) -> Ints:
    """Move counts by single steps at random places, within low and high, until they add up to total.

    Raises
    ------
    ValueError
        No counts within the limits add up to total.
    """
    counts = np.clip(counts, low, high).astype(np.int64)
    while difference := total - int(counts.sum()):
        free = np.flatnonzero(counts < high) if difference > 0 else np.flatnonzero(counts > low)
        if not len(free):
            raise ValueError(f"counts within their limits add up to {counts.sum()}, not to {total}")
        moved = rng.choice(free, min(abs(difference), len(free)), replace=False, shuffle=False)
        counts[moved] += 1 if difference > 0 else -1
    return counts
