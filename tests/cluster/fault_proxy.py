"""A proxy between a client and Azurite that spoils the requests it is told to spoil, and remembers all of them.

A client reaches it by its own address, or names it as its HTTP proxy and keeps the addresses of production: Azurite
takes the account from the host's name then.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from aiohttp import ClientResponse, ClientSession, ClientTimeout, TCPConnector, web
from yarl import URL

PIECE = 65_536  # bytes that are passed on at a time
# Headers that are of one connection, not of the message.
OF_CONNECTION = {
    "connection",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
ERROR = '<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>injected</Message></Error>'


@dataclass
class Fault:
    """What happens to the next `times` requests that fit, after `skip` of them.

    Attributes
    ----------
    method : str
        The requests' method, ``*`` for any.
    path : str
        Regular expression that is found in their path and query.
    times, skip : int
        How many are spoilt, and how many are let through before.
    on_hit : callable, optional
        Called, in a thread, before anything else happens to such a request.
    delay : float
        Seconds before it is passed on.
    status, code, text
        Of the answer that it gets in place of the service's; without a text it is XML as the service's own.
    headers
        What such an answer, or the service's, has besides.
    cut_request_at : int, optional
        Bytes of its body after which the connection breaks.
    lose_answer : bool
        The service does what it asks, and the connection breaks before the answer.
    cut_at, stall_at : int, optional
        Bytes of the answer's body after which the connection breaks, or is silent for `stall` seconds and then breaks.
    reset : bool
        A broken connection is reset, not closed.
    flip_at : int, optional
        Number of the byte of the answer's body in which a bit is flipped.
    pace : int, optional
        Bytes of the answer's body a second.
    piece : int
        How many of them are passed on at a time.
    hits : int
        How many were spoilt.
    """

    method: str = "GET"
    path: str = ""
    times: int = 1
    skip: int = 0
    on_hit: Callable[[], object] | None = None
    delay: float = 0.0
    status: int | None = None
    code: str = "ServerBusy"
    text: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cut_request_at: int | None = None
    lose_answer: bool = False
    cut_at: int | None = None
    stall_at: int | None = None
    stall: float = 30.0
    reset: bool = True
    flip_at: int | None = None
    pace: int | None = None
    piece: int = PIECE
    hits: int = 0

    def takes(self, method: str, path: str) -> bool:
        """Tell whether this request is to be spoilt, and count it."""
        if self.method not in ("*", method) or not re.search(self.path, path) or self.hits >= self.times:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.hits += 1
        return True

    @property
    def end_at(self) -> int | None:
        """Bytes of the answer's body that are passed on; None for all."""
        return self.cut_at if self.stall_at is None else self.stall_at


NO_FAULT = Fault()
NAMELESS = {"": "a header without a name"}  # of which urllib3 warns, with the address


@dataclass
class Seen:
    """A request as it went through.

    Attributes
    ----------
    method, path : str
        As they came; the path with its query.
    range : str or None
        The bytes it asks for.
    received, sent : int
        Bytes of its body and of the answer's.
    status : int or None
        The answer's status; None for a request that got none.
    spoilt : bool
        A fault was made.
    at : float
        When it came, by `time.monotonic`.
    """

    method: str
    path: str
    range: str | None
    spoilt: bool
    received: int = 0
    sent: int = 0
    status: int | None = None
    at: float = field(default_factory=time.monotonic)


class FaultProxy:
    """A running proxy; `running_proxy` makes it.

    Attributes
    ----------
    url : str
        ``http://127.0.0.1:PORT``.
    seen : list of Seen
        The requests so far.
    """

    def __init__(self, service: str) -> None:
        self.url = ""
        self.seen: list[Seen] = []
        self._service = service
        self._faults: list[Fault] = []

    @property
    def port(self) -> int:
        """The port it listens on."""
        return urlsplit(self.url).port or 0

    def add(self, fault: Fault) -> Fault:
        """Spoil what `fault` says, after what was added before; return the copy that counts its hits."""
        self._faults.append(replace(fault))
        return self._faults[-1]

    def clear(self) -> None:
        """Forget all faults and requests."""
        self._faults.clear()
        self.seen.clear()

    async def serve(self, ready: Callable[[], None], stop: asyncio.Event) -> None:
        """Serve until `stop`."""
        timeout = ClientTimeout(total=None)
        async with ClientSession(connector=TCPConnector(limit=0), auto_decompress=False, timeout=timeout) as session:
            runner = web.ServerRunner(web.Server(lambda request: self._handle(request, session)), shutdown_timeout=0.5)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = "http://{}:{}".format(*runner.addresses[0])
            ready()
            await stop.wait()
            await runner.cleanup()

    async def _handle(self, request: web.BaseRequest, session: ClientSession) -> web.StreamResponse:
        path = _path(request.raw_path)
        fault = next((fault for fault in self._faults if fault.takes(request.method, path)), NO_FAULT)
        asked = request.headers.get("x-ms-range") or request.headers.get("Range")
        seen = Seen(request.method, path, asked, fault is not NO_FAULT)
        self.seen.append(seen)
        if fault.on_hit is not None:
            await asyncio.to_thread(fault.on_hit)
        body = await _body(request, fault, seen)
        if body is None:
            return _broken(request, reset=True)
        await asyncio.sleep(fault.delay)
        if fault.status is not None:
            seen.status = fault.status
            return _refusal(request, fault)
        headers = [(name, value) for name, value in request.headers.items() if name.lower() not in OF_CONNECTION]
        async with session.request(
            request.method,
            URL(self._service + path, encoded=True),
            headers=headers,
            data=body or None,
            allow_redirects=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        ) as answer:
            if fault.lose_answer:
                await answer.read()
                return _broken(request, reset=True)
            seen.status = answer.status
            return await _pass_on(request, answer, fault, seen)


def _path(raw: str) -> str:
    """Return path and query, of an address that a client of an HTTP proxy gives in full too."""
    return raw if raw.startswith("/") else "/" + raw.split("://", 1)[1].partition("/")[2]


async def _body(request: web.BaseRequest, fault: Fault, seen: Seen) -> bytes | None:
    """Return a request's body; None where the connection is to break in it."""
    body = bytearray()
    async for piece in request.content.iter_chunked(PIECE):
        body += piece
        seen.received = len(body)
        if fault.cut_request_at is not None and len(body) >= fault.cut_request_at:
            return None
    return bytes(body)


def _broken(request: web.BaseRequest, reset: bool) -> web.Response:
    """Break a request's connection; what is returned goes nowhere."""
    if request.transport is not None:
        (request.transport.abort if reset else request.transport.close)()
    return web.Response()


def _refusal(request: web.BaseRequest, fault: Fault) -> web.Response:
    """Return an error."""
    text = ERROR.format(code=fault.code) if fault.text is None else fault.text
    headers = {**({"x-ms-error-code": fault.code} if fault.code else {}), **fault.headers}
    return web.Response(
        status=fault.status or 500,
        text="" if request.method == "HEAD" else text,
        content_type="application/xml" if fault.text is None else "text/plain",
        headers=headers,
    )


async def _pass_on(request: web.BaseRequest, answer: ClientResponse, fault: Fault, seen: Seen) -> web.StreamResponse:
    """Send the service's answer on, as far and as whole as the fault lets it."""
    response = web.StreamResponse(status=answer.status, reason=answer.reason)
    for name, value in answer.headers.items():
        if name.lower() not in OF_CONNECTION:
            response.headers.add(name, value)
    response.headers.extend(fault.headers)
    if "Content-Length" not in answer.headers and request.method != "HEAD" and answer.status not in (204, 304):
        response.enable_chunked_encoding()
    with suppress(ConnectionError):  # the client may have gone
        await response.prepare(request)
        async for piece in _spoilt(answer, fault):
            seen.sent += len(piece)
            await response.write(piece)
        if fault.end_at is None:
            await response.write_eof()
            return response
    if fault.stall_at is not None:
        await asyncio.sleep(fault.stall)
    _broken(request, fault.reset)
    return response


async def _spoilt(answer: ClientResponse, fault: Fault) -> AsyncIterator[bytes]:
    """Yield the pieces of the answer's body that the client gets."""
    begin = 0
    async for data in answer.content.iter_chunked(fault.piece):
        piece = bytearray(data)
        if fault.flip_at is not None and 0 <= fault.flip_at - begin < len(piece):
            piece[fault.flip_at - begin] ^= 1
        begin += len(piece)
        if fault.end_at is not None and begin >= fault.end_at:
            yield bytes(piece[: len(piece) - (begin - fault.end_at)])
            return
        if fault.pace:
            await asyncio.sleep(len(piece) / fault.pace)
        yield bytes(piece)


@contextmanager
def running_proxy(service: str) -> Iterator[FaultProxy]:
    """Start a proxy before the service at an address, in a thread of this process."""
    proxy = FaultProxy(service)
    loop, stop, ready = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=[proxy.serve(ready.set, stop)], daemon=True)
    thread.start()
    try:
        if not ready.wait(10):
            raise RuntimeError("the proxy did not start")
        yield proxy
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()
