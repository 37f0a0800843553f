"""One blob as a stream: it arrives whole whatever happens on the way, or one line says why it does not."""

from __future__ import annotations

import hashlib
import io
import pickle
import random
import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from azure.storage.blob import ContentSettings, generate_container_sas
from tests.cluster.fault_proxy import NAMELESS, Fault

from sparksweep.errors import ExpiredAccess, StorageError
from sparksweep.storage.blobs import Sas, open_blob_folder, ranges, retrying, streams

SEED = 20161114
SIZE = 1_500_000
DATA = random.Random(SEED).randbytes(SIZE)


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Ranges and waits of a size that a test has time for."""
    monkeypatch.setattr(streams, "RANGE_BYTES", 300_000)
    monkeypatch.setattr(ranges, "PIECE_BYTES", 16_384)
    monkeypatch.setattr(ranges, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(retrying, "FIRST_WAIT", 0.01)


@pytest.fixture
def folder(container, azurite, fault_proxy, monkeypatch):
    """A folder of the test's container, behind the proxy."""
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string(fault_proxy.url))
    container.upload_blob("raw/x.zip", DATA)
    return f"wasbs://{container.container_name}@{azurite.account}.blob.core.windows.net/raw"


@pytest.fixture
def blob(folder):
    return open_blob_folder(folder).files()["x.zip"]


def read(file, step=100_000):
    with file.open() as stream:
        return b"".join(iter(lambda: stream.read(step), b""))


def message(file):
    with pytest.raises(StorageError) as caught:
        read(file)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_it_arrives_whole(blob, fault_proxy):
    assert read(blob) == DATA
    fetched = sorted(seen.range for seen in fault_proxy.seen if seen.range)
    assert len(fetched) == len(set(fetched)) == 6  # five ranges and the end, none twice


def test_it_can_be_sought_in(blob):
    places = random.Random(SEED)
    with blob.open() as stream:
        for _ in range(60):
            start, size = places.randrange(SIZE), places.randrange(1, 200_000)
            assert stream.seek(start) == start == stream.tell()
            assert stream.read(size) == DATA[start : start + size]
        assert stream.seek(-10, io.SEEK_END) == SIZE - 10
        assert stream.read() == DATA[-10:]
        assert stream.read() == b""
        stream.seek(SIZE + 5)
        assert stream.read(1) == b""


def test_only_the_end_of_a_blob_is_fetched_for_its_end(blob, fault_proxy):
    with blob.open() as stream:
        stream.seek(-1000, io.SEEK_END)
        stream.read()
    assert [seen.range for seen in fault_proxy.seen if seen.range] == [f"bytes={SIZE - 65536}-{SIZE - 1}"]


def test_no_more_than_a_few_ranges_are_held(blob, fault_proxy, monkeypatch):
    """A reader that takes its time is not run away from."""
    monkeypatch.setattr(streams, "RANGE_BYTES", 100_000)
    with blob.open() as stream:
        stream.read(1)
        end = time.monotonic() + 30
        while len(fault_proxy.seen) < 1 + streams.RANGES_AHEAD and time.monotonic() < end:  # the listing is the first
            time.sleep(0.01)
        time.sleep(0.1)  # for one too many
        fetched = [seen for seen in fault_proxy.seen if seen.range]
    assert len(fetched) == streams.RANGES_AHEAD < 15


def test_a_service_that_takes_its_time_is_asked_for_eight_ranges_at_once(blob, fault_proxy, monkeypatch):
    monkeypatch.setattr(streams, "RANGE_BYTES", 100_000)
    fault_proxy.add(Fault(path="x.zip", delay=1.0, times=1000))
    with blob.open() as stream:
        stream.read(1)
        asked = [seen.at for seen in fault_proxy.seen if seen.range]
    assert sum(at < asked[0] + 0.9 for at in asked) == 8


def test_cut_at_50_places_it_arrives_whole(blob, fault_proxy):
    """Each time the connection breaks it goes on at the byte where it stopped."""
    places = random.Random(SEED)
    for _ in range(50):
        fault_proxy.add(Fault(path="x.zip", cut_at=places.randrange(1, 25_000), reset=False))
    assert read(blob) == DATA
    asked = [(int(seen.range[6:].split("-")[0]), seen) for seen in fault_proxy.seen if seen.range]
    starts = {start for start, _ in asked}
    stopped = [start + seen.sent for start, seen in asked if seen.spoilt]
    assert len(stopped) == 50
    assert set(stopped) <= starts
    assert len(asked) <= 6 + 50  # nothing that had arrived was asked for again


@pytest.mark.parametrize("reset", [True, False])
def test_a_connection_that_brings_nothing_is_given_up(blob, fault_proxy, reset):
    fault_proxy.add(Fault(path="x.zip", cut_at=0, times=1000, reset=reset))
    advice = "check the host's name, the network and HTTPS_PROXY"
    assert message(blob) == f"cannot read {blob}: the connection is lost again and again; {advice}"
    assert len(fault_proxy.seen) < 60


@pytest.mark.parametrize("place", [0, 150_000, 299_999])
def test_flipped_bits_are_fetched_again(blob, fault_proxy, place):
    fault = fault_proxy.add(Fault(path="x.zip", flip_at=place, times=ranges.MOST_DAMAGED - 1))
    assert read(blob) == DATA
    assert fault.hits == fault.times


def test_a_flipped_bit_before_the_cut_is_found(blob, fault_proxy):
    """The MD5 that came with the part before the cut is that of the whole range."""
    fault_proxy.add(Fault(path="x.zip", flip_at=10, cut_at=5000, reset=False))
    assert read(blob) == DATA


def test_bits_that_are_always_flipped_are_no_data(blob, fault_proxy):
    fault_proxy.add(Fault(path="x.zip", flip_at=7, times=1000))
    assert message(blob).endswith("arrive damaged each time; check the network")


IN_A_SECOND = {"Retry-After": "Mon, 02 May 2016 08:00:01 GMT", "Date": "Mon, 02 May 2016 08:00:00 GMT"}


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (429, {"Retry-After": "1"}),
        (500, {"Retry-After": "1"}),
        (503, {"Retry-After": "1"}),
        (503, IN_A_SECOND),
        (503, {"x-ms-retry-after-ms": "1000"}),
    ],
)
def test_a_busy_service_is_asked_again_when_it_says(blob, fault_proxy, status, headers):
    fault = fault_proxy.add(Fault(path="x.zip", status=status, headers=headers))
    begin = time.monotonic()
    assert read(blob) == DATA
    assert time.monotonic() - begin >= 1
    assert fault.hits == 1


def test_a_service_that_stays_busy_is_told(blob, fault_proxy):
    fault_proxy.add(Fault(path="x.zip", status=429, code="TooManyRequests", times=1000))
    assert message(blob) == (
        f"cannot read {blob}: the service is busy or failing (429 TooManyRequests), also when asked again; try it later"
    )


def test_a_service_that_says_to_come_back_in_an_hour_is_not_waited_for(blob, fault_proxy):
    fault_proxy.add(Fault(path="x.zip", status=503, headers={"Retry-After": "3600"}, times=1000))
    assert message(blob) == (
        f"cannot read {blob}: the service is busy or failing (503 ServerBusy), and says to come back in 60 minutes; "
        "try it then"
    )


def test_a_stalled_answer_goes_on_at_the_byte(blob, fault_proxy, monkeypatch):
    monkeypatch.setattr(ranges, "READ_SECONDS", 1)
    fault_proxy.add(Fault(path="x.zip", stall_at=65_536, stall=10))
    assert read(blob) == DATA
    stalled = next(seen for seen in fault_proxy.seen if seen.spoilt)
    start, end = stalled.range.removeprefix("bytes=").split("-")
    assert f"bytes={int(start) + 65_536}-{end}" in [seen.range for seen in fault_proxy.seen]


def test_an_answer_that_only_trickles_goes_on_by_another_connection(blob, fault_proxy, monkeypatch):
    """No read of it ever takes long."""
    monkeypatch.setattr(ranges, "REQUEST_SECONDS", 0.5)
    fault_proxy.add(Fault(path="x.zip", piece=10, pace=100))
    begin = time.monotonic()
    assert read(blob) == DATA
    assert time.monotonic() - begin < 10
    trickled = next(seen for seen in fault_proxy.seen if seen.spoilt)
    start, end = trickled.range.removeprefix("bytes=").split("-")
    again = [seen.range for seen in fault_proxy.seen if seen.range and seen.range.endswith(f"-{end}")][1:]
    assert len(again) == 1
    assert int(start) < int(again[0][6:].split("-")[0]) < int(start) + 100


def test_a_range_that_takes_too_long_is_given_up(blob, fault_proxy, monkeypatch):
    monkeypatch.setattr(ranges, "REQUEST_SECONDS", 0.3)
    monkeypatch.setattr(ranges, "RANGE_SECONDS", 1)
    fault_proxy.add(Fault(path="x.zip", piece=10, pace=100, times=1000))
    begin = time.monotonic()
    assert message(blob) == (
        f"cannot read {blob}: 300,000 bytes take longer than 1 s; check the host's name, the network and HTTPS_PROXY"
    )
    assert time.monotonic() - begin < 10


def test_a_slow_answer_is_waited_for(blob, fault_proxy, monkeypatch):
    monkeypatch.setattr(ranges, "READ_SECONDS", 1)
    fault_proxy.add(Fault(path="x.zip", pace=150_000))
    assert read(blob) == DATA
    assert len([seen for seen in fault_proxy.seen if seen.range]) == 6


def test_a_malformed_header_is_not_told_with_the_address(blob, fault_proxy, caplog):
    fault = fault_proxy.add(Fault(path="x.zip", headers=NAMELESS, times=999))
    assert read(blob) == DATA
    assert fault.hits == 6
    assert caplog.text == ""


def test_a_refusal_of_another_hand_is_one_line(folder, fault_proxy, caplog):
    """As of a proxy between: no code, and no XML."""
    fault_proxy.add(Fault(status=403, code="", text="Forbidden by the house", times=9))
    with pytest.raises(StorageError, match=r"the service refuses the login by .* \(403\); check key, SAS or role$"):
        open_blob_folder(folder).files()
    assert caplog.text == ""


def test_a_replaced_blob_is_no_mixture(blob, container, fault_proxy):
    fault_proxy.add(
        Fault(path="x.zip", skip=2, on_hit=lambda: container.upload_blob("raw/x.zip", DATA, overwrite=True))
    )
    assert message(blob) == (
        f"cannot read {blob}: the blob was replaced or deleted while it was read; run it again (412 ConditionNotMet)"
    )


def test_a_blob_that_went_away(blob, container):
    container.delete_blob("raw/x.zip")
    assert message(blob).startswith(f"cannot read {blob}: the blob was replaced or deleted while it was read")


@pytest.fixture
def with_md5(folder, container):
    """Return a function that uploads the data with an MD5 of the uploader's, which the service does not look at."""

    def upload(md5):
        blob = container.get_blob_client("raw/y.zip")
        blob.stage_block("AAAA", DATA)
        blob.commit_block_list(["AAAA"], content_settings=ContentSettings(content_md5=bytearray(md5)))
        return open_blob_folder(folder).files()["y.zip"]

    return upload


def test_the_uploaders_md5_fits(with_md5):
    assert read(with_md5(hashlib.md5(DATA).digest())) == DATA


def test_the_uploaders_md5_does_not_fit(with_md5):
    file = with_md5(bytes(16))
    assert message(file) == f"cannot read {file}: it does not fit its Content-MD5; upload it again"


def test_the_uploaders_md5_is_known_before_the_end_that_was_read_first(with_md5):
    """As of a zip, whose directory at the end is not read a second time."""
    with with_md5(bytes(16)).open() as stream:
        stream.seek(-10, io.SEEK_END)
        stream.read()
        stream.seek(0)
        stream.read(1_000_000)
        for _ in range(3):  # who reads on is told again
            with pytest.raises(StorageError, match="does not fit its Content-MD5"):
                stream.read(400_000)


def test_an_empty_blob(folder, container):
    container.upload_blob("raw/empty.zip", b"")
    assert message(open_blob_folder(folder).files()["empty.zip"]) == (
        f"cannot read {folder}/empty.zip: it is empty (0 bytes); upload it again"
    )


def sas_for(azurite, container, **times):
    names = (azurite.account, container.container_name)
    return Sas(generate_container_sas(*names, account_key=azurite.key, permission="rl", **times))


def test_a_sas_that_ends_in_the_middle(blob, azurite, container, fault_proxy):
    ends = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(seconds=1)
    brief = replace(blob, access=sas_for(azurite, container, expiry=ends))
    fault_proxy.add(Fault(path="x.zip", skip=1, on_hit=lambda: time.sleep(2)))
    with pytest.raises(ExpiredAccess) as caught:
        read(brief)
    assert str(caught.value) == (
        f"cannot read {blob}: its SAS ended at {ends:%Y-%m-%d %H:%M:%S} UTC; give one that lasts longer"
    )
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_clock_that_is_off_is_told(blob, fault_proxy):
    past = format_datetime(datetime.now(timezone.utc) - timedelta(minutes=40), usegmt=True)
    fault_proxy.add(Fault(path="x.zip", status=403, code="AuthenticationFailed", headers={"Date": past}, times=9))
    assert message(blob) == (
        f"cannot read {blob}: the service refuses the login (403 AuthenticationFailed), and this machine's clock is 40 "
        "minutes ahead of the service's; set the clock right"
    )


def test_nothing_is_left_of_a_stream_that_was_closed(blob):
    before = threading.active_count()
    with blob.open() as stream:
        stream.read(1)
    end = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.01)
    assert threading.active_count() == before


def test_what_a_task_is_given_shows_no_secret(blob):
    secret = blob.access.reveal().split("sig=")[1]
    assert secret not in f"{blob} {blob!r} {vars(blob)} {blob.access}"
    assert pickle.loads(pickle.dumps(blob)) == blob
    permissions = dict(part.split("=") for part in blob.access.reveal().split("&"))
    assert (permissions["sp"], permissions["sr"]) == ("r", "c")
    assert timedelta(0) < blob.access.expires - datetime.now(timezone.utc) <= timedelta(hours=1)
