"""What a range does with answers that Azurite does not give."""

from __future__ import annotations

import base64
import hashlib
from types import SimpleNamespace

import pytest
from urllib3.exceptions import ProtocolError, SSLError

from sparksweep.errors import StorageError
from sparksweep.storage.blobs import Sas, ranges

DATA = bytes(range(250))
MD5 = base64.b64encode(hashlib.md5(DATA).digest()).decode()


class Answers:
    """Stands for the client: each answer brings so many bytes and then breaks off with an error."""

    def __init__(self, error, pieces, md5):
        self.asked, self._error, self._pieces = [], error, iter(pieces)
        self._headers = {"Content-MD5": md5} if md5 else {}

    def send_request(self, request, stream):
        start, end = map(int, request.headers["x-ms-range"].removeprefix("bytes=").split("-"))
        self.asked.append(start)
        size = next(self._pieces)

        def pieces():
            yield DATA[start : min(start + size, end + 1)]
            if start + size <= end:
                raise self._error
            yield b""

        arriving = pieces()
        raw = SimpleNamespace(read1=lambda size, decode_content: next(arriving))
        internal = SimpleNamespace(raw=raw)
        return SimpleNamespace(status_code=206, headers=self._headers, internal_response=internal, close=lambda: None)


@pytest.fixture
def reader(monkeypatch):
    """Return a function that makes a reader which is answered so."""
    monkeypatch.setattr(ranges, "FIRST_WAIT", 0.0)

    def make(pieces, error=None, md5=MD5):
        made = ranges.RangeReader("https://acme/raw/x", '"1"', Sas("sig=x"), "x.zip")
        made._client = Answers(error, pieces, md5)
        return made

    return make


@pytest.mark.parametrize("error", [SSLError("bad record mac"), ProtocolError("broken")])
def test_what_breaks_off_under_tls_goes_on_at_the_byte(reader, error):
    made = reader([100, 50, 100], error)
    assert made.fetch(0, 250) == DATA
    assert made._client.asked == [0, 100, 150]


def test_an_answer_without_the_md5_that_was_asked_for_is_no_data(reader):
    with pytest.raises(
        StorageError, match=r"^cannot read x\.zip: it comes without the MD5 that was asked for; look for"
    ):
        reader([250], md5=None).fetch(0, 250)


def test_a_range_that_comes_byte_by_byte_is_given_up(reader):
    made = reader([1] * 250, ProtocolError("broken"))
    with pytest.raises(StorageError, match=r"^cannot read x\.zip: the connection is lost again and again"):
        made.fetch(0, 250)
    assert len(made._client.asked) == ranges.MOST_REQUESTS + 1
