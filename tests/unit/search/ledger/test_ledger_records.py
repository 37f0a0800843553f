"""A record comes back from its line bit for bit, and a line that is not as it was written is known."""

from __future__ import annotations

import json
import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparksweep.search.ledger.records import check_record, decode_lines, encode_record, is_whole

BASE = {"fit_key": "0a", "status": "failed", "attempt": 2, "started": 1.5, "ended": 2.5}
ODD_NAN = struct.unpack(">d", bytes.fromhex("fff8000000000001"))[0]


def back(record):
    line = encode_record(record)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert is_whole(line[:-1])
    return decode_lines([line[:-1]])[0]


def bits(value):
    """A value with each float as its 64 bits, so that == means the very same."""
    if isinstance(value, float):
        return struct.pack(">d", value)
    if isinstance(value, dict):
        return {key: bits(each) for key, each in value.items()}
    return [bits(each) for each in value] if isinstance(value, list) else value


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.slow
@given(st.dictionaries(st.text(min_size=1).filter(lambda name: name not in ("non_finite", "crc")), VALUES, max_size=6))
def test_every_value_comes_back_bit_for_bit(others):
    record = {**others, **BASE}
    assert bits(back(record)) == bits(record)


@pytest.mark.parametrize(
    "number", [math.nan, -math.nan, ODD_NAN, math.inf, -math.inf, -0.0, 5e-324, 0.1 + 0.2, 1.7976931348623157e308]
)
def test_every_number_comes_back_bit_for_bit(number):
    found = back({**BASE, "test_score": number, "deep": [{"x": [1.0, number]}], "numpy": np.float64(number)})
    numbers = [found["test_score"], found["deep"][0]["x"][1], found["numpy"]]
    assert [struct.pack(">d", each) for each in numbers] == [struct.pack(">d", number)] * 3


def test_a_line_is_strict_json_and_a_score_column_holds_numbers_only():
    text = encode_record({**BASE, "test_score": math.nan, "train_score": -math.inf, "note": "NaN", "empty": None})

    def refuse(name):
        raise AssertionError(name)

    line = json.loads(text, parse_constant=refuse)
    assert line["test_score"] is None
    assert line["non_finite"] == [["NaN", "test_score"], ["-Infinity", "train_score"]]
    assert line["note"] == "NaN"
    assert back({**BASE, "note": "NaN", "empty": None})["note"] == "NaN"


def test_texts_of_all_kinds_stay_on_their_line():
    text = "Traceback\n  line\r\n\u2028 ü 三星 \ud800 \x00"
    assert back({**BASE, "fit_error": text})["fit_error"] == text
    assert encode_record({**BASE, "fit_error": text}).isascii()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"fit_key": ""}, "fit_key must be a text of hex digits, not ''"),
        ({"fit_key": None}, "fit_key must be"),
        ({"status": "done"}, "fit 0a: status must be one of complete, failed, timeout, lost, not 'done'"),
        ({"attempt": 0}, "fit 0a: attempt must be an int from 1, not 0"),
        ({"attempt": True}, "attempt must be"),
        ({"ended": math.nan}, "fit 0a: ended must be seconds since 1970, not nan"),
        ({"ended": 1e300}, "ended must be"),
        ({"ended": -1.0}, "ended must be"),
        ({"started": "x"}, "fit 0a: started must be"),
        ({"crc": "x"}, "the keys crc, non_finite are the ledger's own"),
    ],
)
def test_a_record_that_could_not_be_merged_is_refused(change, told):
    with pytest.raises(ValueError, match=told):
        encode_record({**BASE, **change})


def test_what_json_does_not_hold_is_refused():
    with pytest.raises(TypeError, match="int64"):
        encode_record({**BASE, "n_test": np.int64(3)})


def test_every_changed_byte_is_known():
    line = encode_record({**BASE, "test_score": 0.25})[:-1]
    for place in range(len(line)):
        damaged = line[:place] + bytes([line[place] ^ 1]) + line[place + 1 :]
        assert not is_whole(damaged), damaged


@pytest.mark.parametrize(
    "text", ['{"fit_key":"0a"', "[1", '{"status":"complete","attempt":1', '{"non_finite":[["NaN"]]']
)
def test_a_whole_line_that_is_no_record_is_none(text):
    import zlib

    body = text.encode()
    line = b'%s,"crc":"%08x"}' % (body, zlib.crc32(body))
    good = encode_record(BASE)[:-1]
    found = decode_lines([good, line, good])
    assert found == [BASE, None, BASE]
    check_record(found[0])
