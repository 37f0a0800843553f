"""Where events happen: a home for each device, and the placeholders the real file is full of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sparksweep.talkingdata.generate.draws import Ints, pick, stream

__all__ = ["Places", "draw_places"]

# weight, longitude, latitude of cities
CITIES = np.array(
    [
        (9, 116.40, 39.90), (7, 121.47, 31.23), (9, 113.26, 23.13), (6, 114.06, 22.55), (5, 104.07, 30.67),
        (5, 114.30, 30.59), (5, 118.80, 32.06), (5, 120.16, 30.27), (3, 108.94, 34.34), (5, 113.63, 34.75),
        (4, 112.94, 28.23), (5, 117.00, 36.67), (3, 123.43, 41.80), (4, 117.23, 31.82), (3, 115.86, 28.68),
        (4, 119.30, 26.08), (4, 114.51, 38.04), (2, 126.64, 45.76), (2, 102.71, 25.04), (2, 108.32, 22.82),
        (2, 112.55, 37.87), (1, 87.62, 43.82), (2, 106.55, 29.56), (2, 120.38, 36.07), (2, 118.09, 24.48),
    ]
)  # fmt: skip
CITY_SPREAD = 0.8  # degrees
CHINA = (73.0, 135.0, 18.0, 54.0)

# A device tells its place always, never, or now and then; even the first kind fails sometimes.
LOCATED, NEVER = 0.65, 0.09
NO_PLACE_LOCATED, NO_PLACE_MIXED = 0.02, (3.0, 1.0)
# Of the events that do tell a place: shares of (1, 1), of (104, 30), and of the world outside.
ONES, ROUNDED, ABROAD = 0.0335, 0.0128, 0.0015


@dataclass(frozen=True)
class Places:
    """Longitude and latitude of each event in hundredths of a degree (int64 arrays)."""

    longitude: Ints
    latitude: Ints


def draw_places(seed: int, device: Ints, n_devices: int) -> Places:
    """Draw the place of each event; device, shape (n_events,), numbers its device below n_devices."""
    rng = stream(seed, "places")
    city = pick(rng, CITIES[:, 0], n_devices)
    home = CITIES[city, 1:] + rng.normal(0, CITY_SPREAD, (n_devices, 2))
    # Most stay where they are (median 0.005 degrees), some travel.
    spread = np.minimum(0.005 * np.exp(2.7 * rng.standard_normal(n_devices)), 2)
    degrees = home[device] + rng.standard_normal((len(device), 2)) * spread[device, None]
    west, east, south, north = CHINA
    degrees = np.clip(degrees, (west, south), (east, north))
    kind = rng.random(len(device))
    degrees[kind < ONES] = (1, 1)
    degrees[(kind >= ONES) & (kind < ONES + ROUNDED)] = (104, 30)
    abroad = np.flatnonzero((kind > 1 - ABROAD * 50) & (rng.random(n_devices) < 1 / 50)[device])
    degrees[abroad] = np.column_stack([rng.uniform(-180, 180, len(abroad)), rng.uniform(-34, 60, len(abroad))])
    degrees[rng.random(len(device)) < _no_place(rng, n_devices)[device]] = 0
    hundredths = np.rint(degrees * 100).astype(np.int64)
    return Places(hundredths[:, 0], hundredths[:, 1])


def _no_place(rng: np.random.Generator, n_devices: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    kind = rng.random(n_devices)
    mixed = rng.beta(*NO_PLACE_MIXED, n_devices)
    return np.where(kind < LOCATED, NO_PLACE_LOCATED, np.where(kind < LOCATED + NEVER, 1.0, mixed))
