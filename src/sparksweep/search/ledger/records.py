"""A record as a line of text and back, every bit of it.

A line is a JSON object in ASCII whose last member is ``crc``, 8 hex digits of the CRC-32 of all bytes before it, so
that a damaged line is known from a whole one. JSON has no NaN and no infinities: such a number is ``null`` in its
place, and the member ``non_finite`` lists them, each as its name (``NaN``, ``Infinity``, ``-Infinity``, or ``NaN:`` and
16 hex digits for one with other bits than Python's ``nan``) followed by the keys and positions that lead to it::

    {"fit_key":"5c1f","status":"complete","test_score":null,"non_finite":[["NaN","test_score"]],"crc":"0d4a1b7e"}

A text or a null can never be taken for such a number, and readers that know nothing of this see a column of numbers.
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["STATUSES", "Record", "check_record", "decode_lines", "encode_record", "is_whole"]

Record = Mapping[str, Any]

STATUSES = ("complete", "failed", "timeout", "lost")
NON_FINITE = "non_finite"
RESERVED = {NON_FINITE, "crc"}
NAN = struct.pack(">d", math.nan)
SEAL = len(b',"crc":"01234567"}')
YEAR_10000 = 253_402_300_800.0


def check_record(record: Record) -> None:
    """Refuse a record that could not be merged.

    Raises
    ------
    ValueError
        A key is missing or reserved, or its value is of another type; names it.
    """
    key, attempt = record.get("fit_key"), record.get("attempt")
    if not isinstance(key, str) or not key:
        raise ValueError(f"fit_key must be a text of hex digits, not {key!r}")
    if record.get("status") not in STATUSES:
        raise ValueError(f"fit {key}: status must be one of {', '.join(STATUSES)}, not {record.get('status')!r}")
    if type(attempt) is not int or attempt < 1:
        raise ValueError(f"fit {key}: attempt must be an int from 1, not {attempt!r}")
    for name in ("started", "ended"):
        moment = record.get(name)
        if not isinstance(moment, float | int) or isinstance(moment, bool) or not 0 <= moment < YEAR_10000:
            raise ValueError(f"fit {key}: {name} must be seconds since 1970, not {moment!r}")


def encode_record(record: Record) -> bytes:
    """Return a record as one line, its line break included.

    Raises
    ------
    ValueError
        The record could not be merged (`check_record`), or uses a reserved key.
    TypeError
        A value is none that JSON holds.
    """
    check_record(record)
    if not RESERVED.isdisjoint(record):
        raise ValueError(f"fit {record['fit_key']}: the keys {', '.join(sorted(RESERVED))} are the ledger's own")
    try:
        text = _json(record)
    except ValueError:  # JSON has no such number
        found: list[list[Any]] = []
        plain = _without_non_finite(record, [], found)
        text = _json({**plain, NON_FINITE: found})
    body = text[:-1].encode("ascii")
    return b'%s,"crc":"%08x"}\n' % (body, zlib.crc32(body))


def is_whole(line: bytes) -> bool:
    """Tell whether a line, without its line break, is as it was written."""
    return line[-SEAL:] == b',"crc":"%08x"}' % zlib.crc32(line[:-SEAL])


def decode_lines(lines: Sequence[bytes]) -> list[dict[str, Any] | None]:
    """Return the record of each whole line, None where it is none that can be merged; they share the texts of keys."""
    return [_restored(record) for record in _parse(lines)]


def _json(record: Record) -> str:
    return json.dumps(record, allow_nan=False, separators=(",", ":"))


def _parse(lines: Sequence[bytes]) -> list[Any]:
    """Return what each line holds."""
    try:
        values = json.loads(b"[" + b",".join(lines) + b"]")
    except ValueError:
        values = []
    if len(values) == len(lines):
        return list(values)
    return [_parse_one(line) for line in lines]


def _parse_one(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _restored(record: Any) -> dict[str, Any] | None:
    """Return a parsed line as the record that was written."""
    try:
        del record["crc"]
        for name, *path in record.pop(NON_FINITE, ()):
            place = record
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = _number(name)
        check_record(record)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return None
    return dict(record)


def _without_non_finite(value: Any, path: list[Any], found: list[list[Any]]) -> Any:
    """Return a value with null for each number that JSON lacks; `found` gets the name and path of each."""
    if isinstance(value, float) and not math.isfinite(value):
        found.append([_name(value), *path])
        return None
    if isinstance(value, Mapping):
        return {key: _without_non_finite(each, [*path, key], found) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_non_finite(each, [*path, place], found) for place, each in enumerate(value)]
    return value


def _name(value: float) -> str:
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    bits = struct.pack(">d", value)
    return "NaN" if bits == NAN else f"NaN:{bits.hex()}"


def _number(name: str) -> float:
    kind, _, bits = name.partition(":")
    if bits:
        return float(struct.unpack(">d", bytes.fromhex(bits))[0])
    return {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}[kind]
