"""The text of the six smaller tables: columns, order of rows and separators as in the real files."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sparksweep.talkingdata.generate.apps import Apps
from sparksweep.talkingdata.generate.catalogue import Labels, Phones
from sparksweep.talkingdata.generate.csvtext import decimals, numbers, quoted_rows, unpad
from sparksweep.talkingdata.generate.devices import Devices, phone_rows
from sparksweep.talkingdata.generate.draws import Ints
from sparksweep.talkingdata.generate.events import DAYS, Events
from sparksweep.talkingdata.generate.places import Places
from sparksweep.talkingdata.generate.sizes import GROUPS, Sizes

__all__ = ["app_labels_text", "event_parts", "label_categories_text", "phone_text", "test_text", "train_text"]

EVENT_ROWS = 100_000  # rows of events made at a time


def train_text(devices: Devices) -> bytes:
    """Write gender_age_train."""
    n = len(devices.ages)
    groups = list(GROUPS)
    tails = np.array([f",{group}\n" for group in groups], dtype=np.bytes_)
    genders = np.array([f",{group[0]}," for group in groups], dtype=np.bytes_)
    codes = devices.groups[:n]
    rows = unpad(numbers(devices.ids[:n]), genders[codes], numbers(devices.ages), tails[codes])
    return b"device_id,gender,age,group\n" + rows


def test_text(devices: Devices) -> bytes:
    """Write gender_age_test."""
    ids = devices.ids[len(devices.ages) : len(devices.phones)]
    return b"device_id\n" + unpad(numbers(ids, after="\n"))


def phone_text(seed: int, devices: Devices, phones: Phones, sizes: Sizes) -> bytes:
    """Write phone_brand_device_model."""
    device, phone = phone_rows(seed, devices, phones, sizes)
    rows = ((i, phones.brands[p], phones.models[p]) for i, p in zip(devices.ids[device].tolist(), phone, strict=True))
    return b"device_id,phone_brand,device_model\n" + quoted_rows(rows)


def event_parts(ids: Ints, events: Events, places: Places) -> Iterator[bytes]:
    """Write events, in chunks; ids are those of the devices that have events."""
    id_cells = numbers(ids, before=",", after=",")
    day_cells = np.array([f"{day} " for day in DAYS], dtype=np.bytes_)
    second_cells = np.array(
        [f"{s // 3600:02d}:{s // 60 % 60:02d}:{s % 60:02d}," for s in range(86_400)], dtype=np.bytes_
    )
    longitudes = decimals(np.arange(-18_000, 18_001), after=",")
    latitudes = decimals(np.arange(-9_000, 9_001), after="\n")
    yield b"event_id,device_id,timestamp,longitude,latitude\n"
    for start in range(0, len(events), EVENT_ROWS):
        part = slice(start, start + EVENT_ROWS)
        yield unpad(
            numbers(np.arange(len(events))[part] + 1),
            id_cells[events.device[part]],
            day_cells[events.day[part]],
            second_cells[events.second[part]],
            longitudes[places.longitude[part] + 18_000],
            latitudes[places.latitude[part] + 9_000],
        )


def app_labels_text(rows: tuple[Ints, Ints], apps: Apps, labels: Labels) -> bytes:
    """Write app_labels; rows are positions of apps and of labels."""
    app, label = rows
    return b"app_id,label_id\n" + unpad(numbers(apps.ids)[app], numbers(labels.ids, before=",", after="\n")[label])


def label_categories_text(labels: Labels) -> bytes:
    """Write label_categories."""
    return b"label_id,category\n" + quoted_rows(zip(labels.ids.tolist(), labels.texts, strict=True))
