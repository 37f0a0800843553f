"""What is in a frame of packets."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa

from sparksweep.features.coding import COUNTED
from sparksweep.features.packets import KIND, PACKET, unpacked


def counted_lines(made):
    """Return (row, code, n) of counts, each (row, code) once, their n added up."""
    packets = made.packets(0).select(PACKET, KIND).collect()
    columns = [
        pa.array([row[name] for row in packets], kind) for name, kind in ((PACKET, pa.binary()), (KIND, pa.int32()))
    ]
    (counts,) = unpacked([pa.RecordBatch.from_arrays(columns, names=[PACKET, KIND])], [COUNTED])
    total = Counter()
    for row, code, n in zip(*counts.to_pydict().values(), strict=True):
        total[row, code] += n
    return sorted((row, code, n) for (row, code), n in total.items())
