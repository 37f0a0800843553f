"""Ranges of one version of a blob, each whole and checked when it is handed out.

A range that breaks off goes on at the byte where it stopped. The service's MD5 of a range is asked for with the range's
first request and holds for all of it, however many requests it took.
"""

from __future__ import annotations

import base64
import hashlib
import mmap
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from types import TracebackType
from typing import Any

from azure.core import PipelineClient
from azure.core.pipeline.policies import HeadersPolicy, UserAgentPolicy
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest, HttpResponse
from urllib3.exceptions import HTTPError

from sparksweep.errors import StorageError
from sparksweep.storage.blobs.failures import NETWORK, Answer, azure_failures, refusal
from sparksweep.storage.blobs.retrying import PatientRetry
from sparksweep.storage.blobs.sas import Sas

__all__ = ["RANGE_BYTES", "RangeReader"]

RANGE_BYTES = 4 << 20
"""Longest range; of a longer one the service gives no MD5."""
API_VERSION = "2021-12-02"
PIECE_BYTES = 256 << 10
CONNECT_SECONDS, READ_SECONDS = 10, 20
# Of requests of one range that bring no byte, and of ranges that do not fit their MD5.
MOST_FRUITLESS = 5
MOST_REQUESTS = 100  # of one range
MOST_DAMAGED = 3
# For the bytes of a range to arrive, waits for a busy service left out, and for those of one of its requests, after
# which it goes on by another connection. With all its ranges at once a stream needs 0.15 Mbit/s, and there are as many
# streams as task slots.
RANGE_SECONDS, REQUEST_SECONDS = 1800, 300
FIRST_WAIT = 0.5  # seconds after the first fruitless request; after each further one as much longer
PARTIAL_CONTENT = 206


class RangeReader:
    """Fetches ranges of one version of a blob; any number of threads may.

    Parameters
    ----------
    url : str
        Of the blob, without SAS.
    etag : str
        Of the version, in quotes.
    sas : Sas
        Leave to read it.
    shown : str
        The blob, as messages name it.
    """

    def __init__(self, url: str, etag: str, sas: Sas, shown: str) -> None:
        self._url = url
        self._etag = etag
        self._sas = sas
        self._shown = shown
        self._ended = threading.Event()
        self._client: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(
            url,
            transport=RequestsTransport(connection_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS),
            policies=[HeadersPolicy({"x-ms-version": API_VERSION}), UserAgentPolicy("sparksweep"), PatientRetry()],
        )

    def __enter__(self) -> RangeReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connections; a range that another thread is fetching is given up at its next piece."""
        self._ended.set()
        self._client.close()

    def fetch(self, start: int, end: int) -> memoryview:
        """Return the bytes from `start` up to `end`, at most `RANGE_BYTES`.

        Raises
        ------
        StorageError
            The blob was replaced, may not be read, or cannot be had whole; one line that says which.
        """
        for _ in range(MOST_DAMAGED):
            data, md5 = self._fetch_all(start, end)
            if md5 is None:
                raise StorageError(
                    f"cannot read {self._shown}: it comes without the MD5 that was asked for; look for a proxy that "
                    "changes answers"
                )
            if md5 == hashlib.md5(data, usedforsecurity=False).digest():
                return data
        raise StorageError(
            f"cannot read {self._shown}: bytes {start:,} to {end:,} arrive damaged each time; check the network"
        )

    def _fetch_all(self, start: int, end: int) -> tuple[memoryview, bytes | None]:
        """Return the bytes, through as many requests as it takes, and what the service says their MD5 is.

        They lie in pages of their own, which go back to the system with them: malloc's arenas of many threads keep half
        as much again (61 MB at the peak of a blob of 800 MB, 42 so).
        """
        data, n_there = memoryview(mmap.mmap(-1, end - start)), 0
        md5, fruitless, requests, spent = None, 0, 0, 0.0
        while n_there < end - start:
            before, requests = n_there, requests + 1
            with self._open(start + before, end) as response:
                md5 = md5 if before else _content_md5(response)
                n_read, seconds = self._read(response, data[before:], min(REQUEST_SECONDS, RANGE_SECONDS - spent))
            n_there, spent = before + n_read, spent + seconds
            fruitless = fruitless + 1 if n_there == before else 0
            if fruitless == MOST_FRUITLESS or requests > MOST_REQUESTS or n_there > end - start:
                raise StorageError(f"cannot read {self._shown}: the connection is lost again and again; {NETWORK}")
            if spent >= RANGE_SECONDS and n_there < end - start:
                raise StorageError(
                    f"cannot read {self._shown}: {end - start:,} bytes take longer than {RANGE_SECONDS} s; {NETWORK}"
                )
            self._ended.wait(FIRST_WAIT * fruitless)
        return data, md5

    @contextmanager
    def _open(self, start: int, end: int) -> Iterator[HttpResponse]:
        """Send a request and give the answer, whose body is still to be read."""
        request = HttpRequest(
            "GET",
            f"{self._url}?{self._sas.reveal()}",
            headers={
                "x-ms-range": f"bytes={start}-{end - 1}",
                "x-ms-range-get-content-md5": "true",
                "If-Match": self._etag,
            },
        )
        with azure_failures("read", self._shown, sas=self._sas):
            response = self._client.send_request(request, stream=True)
        with closing(response):
            if response.status_code != PARTIAL_CONTENT:
                answer = Answer.of(response.status_code, response.headers)
                raise refusal("read", self._shown, answer, "the SAS of the task", self._sas)
            yield response

    def _read(self, response: HttpResponse, room: memoryview, limit: float) -> tuple[int, float]:
        """Take what an answer brings until it ends, breaks off, takes too long or is too much.

        Returns how many bytes came, and in how many seconds.

        Each piece is what has arrived, so that one that comes byte by byte is noticed: to wait for whole ones, as
        azure-core does, would take any time.
        """
        begin, n_read = time.monotonic(), 0
        body: Any = response
        with suppress(HTTPError):  # also a bit flipped under TLS
            while piece := body.internal_response.raw.read1(PIECE_BYTES, decode_content=False):
                if self._ended.is_set():
                    raise StorageError(f"cannot read {self._shown}: it is closed")
                n_read += len(piece)
                if n_read > len(room):
                    break
                room[n_read - len(piece) : n_read] = piece
                if time.monotonic() - begin >= limit:
                    break
        return n_read, time.monotonic() - begin


def _content_md5(response: HttpResponse) -> bytes | None:
    text = response.headers.get("Content-MD5")
    return base64.b64decode(text) if text else None
