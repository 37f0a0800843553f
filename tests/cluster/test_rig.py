"""The rig itself: Azurite answers its client, and the proxy spoils what it is told to and nothing else."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone

import pytest
from azure.storage.blob import generate_blob_sas
from tests.cluster.fault_proxy import Fault
from tests.cluster.installing import require

DATA = bytes(range(256)) * 1000
BROKEN = (ConnectionError, http.client.HTTPException, urllib.error.URLError)


@pytest.fixture
def address(azurite, container, fault_proxy):
    """The address, behind the proxy, of a blob that it may be read and written by."""
    container.upload_blob("x.bin", DATA)
    tomorrow = datetime.now(timezone.utc) + timedelta(days=1)
    names = (azurite.account, container.container_name, "x.bin")
    sas = generate_blob_sas(*names, account_key=azurite.key, permission="rw", expiry=tomorrow)
    return f"{fault_proxy.url}/{'/'.join(names)}?{sas}"


def fetch(address):
    with urllib.request.urlopen(address, timeout=5) as answer:
        return answer.read()


def test_without_a_fault_everything_passes(address, fault_proxy):
    assert fetch(address) == DATA
    (seen,) = fault_proxy.seen
    assert (seen.method, seen.status, seen.sent, seen.spoilt) == ("GET", 200, len(DATA), False)
    assert seen.path.split("?")[0].endswith("/x.bin")


def test_the_service_is_reached_by_its_production_address(address, azurite, fault_proxy):
    path = address.split(azurite.account)[1]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": fault_proxy.url}))
    with opener.open(f"http://{azurite.account}.blob.core.windows.net{path}", timeout=5) as answer:
        assert answer.read() == DATA
    assert fault_proxy.seen[0].path == path


def test_a_refusal_comes_as_often_as_told_and_only_where_told(address, fault_proxy):
    fault_proxy.add(Fault(path="other", status=500))
    fault = fault_proxy.add(Fault(path="x.bin", status=503, headers={"Retry-After": "7"}, skip=1, times=2))
    assert fetch(address) == DATA
    for _ in range(2):
        with pytest.raises(urllib.error.HTTPError) as caught:
            fetch(address)
        assert (caught.value.code, caught.value.headers["Retry-After"]) == (503, "7")
        assert b"ServerBusy" in caught.value.read()
    assert fetch(address) == DATA
    assert fault.hits == 2
    assert [seen.spoilt for seen in fault_proxy.seen] == [False, True, True, False]


def test_a_fault_that_is_added_again_is_a_fresh_one(address, fault_proxy):
    fault = Fault(status=503, skip=1)
    for _ in range(2):
        added = fault_proxy.add(fault)
        assert fetch(address) == DATA
        with pytest.raises(urllib.error.HTTPError):
            fetch(address)
        assert (added.hits, fault.hits) == (1, 0)


@pytest.mark.parametrize("reset", [True, False])
def test_an_answer_is_cut_at_the_byte(address, fault_proxy, reset):
    fault_proxy.add(Fault(cut_at=100_000, reset=reset))
    with pytest.raises(BROKEN):
        fetch(address)
    assert fault_proxy.seen[0].sent == 100_000


def test_a_bit_is_flipped(address, fault_proxy):
    fault_proxy.add(Fault(flip_at=70_000))
    data = bytearray(fetch(address))
    assert data[70_000] == DATA[70_000] ^ 1
    data[70_000] ^= 1
    assert data == DATA


def test_an_answer_stalls_then_breaks(address, fault_proxy):
    fault_proxy.add(Fault(stall_at=100_000, stall=0.3))
    begin = time.monotonic()
    with pytest.raises(BROKEN):
        fetch(address)
    assert time.monotonic() - begin >= 0.3


def test_an_answer_is_late_and_slow(address, fault_proxy):
    fault_proxy.add(Fault(delay=0.2, pace=1_000_000))
    begin = time.monotonic()
    assert fetch(address) == DATA
    assert time.monotonic() - begin >= 0.2 + 0.25


@pytest.mark.parametrize(
    ("fault", "kept"), [(Fault("PUT", cut_request_at=3), False), (Fault("PUT", lose_answer=True), True)]
)
def test_a_request_or_its_answer_is_lost(address, fault_proxy, fault, kept):
    fault_proxy.add(fault)
    put = urllib.request.Request(address, b"new text", {"x-ms-blob-type": "BlockBlob"}, method="PUT")
    with pytest.raises(BROKEN):
        fetch(put)
    assert fetch(address) == (b"new text" if kept else DATA)


def test_something_may_happen_in_the_middle(address, container, fault_proxy):
    fault_proxy.add(Fault(on_hit=lambda: container.upload_blob("x.bin", b"replaced", overwrite=True)))
    assert fetch(address) == b"replaced"


def test_a_missing_tool_is_a_skip_that_names_it():
    with pytest.raises(pytest.skip.Exception, match="needs nosuchtool, which is not on PATH"):
        require("nosuchtool")
