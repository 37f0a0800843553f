"""Whole ingests from a container: the tables are those of a local folder, or one line says why there are none."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from azure.storage.blob import generate_container_sas
from tests.cluster.fault_proxy import Fault

from sparksweep.errors import DataError, ExpiredAccess, StorageError, UsageError
from sparksweep.ingest import Column, TableSchema, ingest_tables, read_report, read_tables
from sparksweep.storage import open_store
from sparksweep.storage.blobs import logins

pytestmark = pytest.mark.spark

EVENTS = TableSchema("events", (Column("event_id", "int32"), Column("time", "timestamp")), key=("event_id",))
PHONE = TableSchema("phone", (Column("device_id", "int64"), Column("brand", "string")), repeated_key="warn")
TABLES = [EVENTS, PHONE]
TEXTS = {
    "events": "event_id,time\n" + "".join(f"{n},2016-05-0{n % 9 + 1} 00:00:{n % 60:02}\n" for n in range(5000)),
    "phone": "device_id,brand\n-7,小米\n8,b\n",
}


@pytest.fixture
def raw(tmp_path):
    """A local folder of archives."""
    folder = tmp_path / "raw"
    folder.mkdir()
    for name, text in TEXTS.items():
        write_zip(folder, name, text)
    return folder


def write_zip(folder, name, text):
    with zipfile.ZipFile(folder / f"{name}.csv.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{name}.csv", text)


@pytest.fixture
def source(raw, container, azurite, fault_proxy, monkeypatch):
    """Return the same archives in the test's container, behind the proxy, by an account key."""
    monkeypatch.setenv("AZURE_STORAGE_KEY", azurite.key)
    upload(container, raw)
    return f"{fault_proxy.url}/{azurite.account}/{container.container_name}/kaggle/raw"


def upload(container, folder):
    for file in folder.iterdir():
        container.upload_blob(f"kaggle/raw/{file.name}", file.read_bytes(), overwrite=True)


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "workspace"))


@pytest.fixture
def no_table(store):
    """Tell, at a test's end, that nothing was left under its name."""
    yield
    assert store.list("tables") == []
    assert read_report(store) is None


def rows(spark, store):
    tables = read_tables(spark, store, TABLES)
    return {name: sorted(tuple(row) for row in frame.collect()) for name, frame in tables.items()}


def test_tables_are_those_of_the_local_folder(spark, raw, source, store, tmp_path):
    local = open_store(str(tmp_path / "local"))
    expected = ingest_tables(spark, raw, TABLES, local)
    report = ingest_tables(spark, source, TABLES, store)
    assert replace(report, source=str(raw)) == expected
    assert report.source == source
    assert rows(spark, store) == rows(spark, local)


def test_unchanged_blobs_are_not_read_again(spark, source, store, container, raw, fault_proxy):
    """Also when they were uploaded anew: what is in the zips counts."""
    known = ingest_tables(spark, source, TABLES, store)
    upload(container, raw)
    fault_proxy.clear()
    assert ingest_tables(spark, source, TABLES, store, known=known) is known
    assert [seen.method for seen in fault_proxy.seen] == ["GET"] * 3  # a listing and the end of each zip


def test_leave_to_read_that_ended_is_renewed(spark, source, store, fault_proxy):
    """By the service's clock, which is two hours on."""
    date = format_datetime(datetime.now(timezone.utc) + timedelta(hours=2), usegmt=True)
    # The driver has looked at the zip's end by then; its task is about to.
    refusal = Fault(path="events.csv.zip", skip=1, status=403, code="AuthenticationFailed", headers={"Date": date})
    fault = fault_proxy.add(refusal)
    report = ingest_tables(spark, source, TABLES, store)
    assert fault.hits == 1
    assert [table.rows for table in report.tables] == [5000, 2]


@pytest.mark.usefixtures("no_table")
def test_a_users_sas_that_has_ended(spark, source, store, container, azurite, fault_proxy):
    sas = generate_container_sas(
        azurite.account,
        container.container_name,
        account_key=azurite.key,
        permission="rl",
        expiry="2020-01-01T00:00:00Z",
    )
    with pytest.raises(ExpiredAccess) as caught:
        ingest_tables(spark, f"{source}?{sas}", TABLES, store)
    assert str(caught.value) == (
        f"cannot list {source}: its SAS ended at 2020-01-01 00:00:00 UTC; give one that lasts longer"
    )


@pytest.mark.usefixtures("no_table")
def test_a_blob_that_is_replaced_meanwhile(spark, source, store, container, fault_proxy):
    def replace_it():
        container.upload_blob("kaggle/raw/events.csv.zip", b"PK other", overwrite=True)

    fault_proxy.add(Fault(path="events.csv.zip", skip=1, on_hit=replace_it))
    with pytest.raises(StorageError) as caught:
        ingest_tables(spark, source, TABLES, store)
    assert str(caught.value) == (
        f"cannot read {source}/events.csv.zip: the blob was replaced or deleted while it was read; run it again "
        "(412 ConditionNotMet)"
    )


@pytest.mark.usefixtures("no_table")
def test_a_wrong_row_is_named_by_blob_line_and_column(spark, source, store, container, raw):
    write_zip(raw, "events", "event_id,time\n1,2016-05-01 00:00:00\nx,2016-05-01 00:00:00\n")
    upload(container, raw)
    with pytest.raises(DataError) as caught:
        ingest_tables(spark, source, TABLES, store)
    assert str(caught.value) == (
        f"{source}/events.csv.zip: data line 2, column event_id: 'x' is not a whole number (int32)"
    )


@pytest.mark.usefixtures("no_table")
@pytest.mark.parametrize(
    ("folder", "secrets", "told"),
    [
        ("kaggle/none", {}, "events.csv.zip, phone.csv.zip missing; put them there, one zip a table"),
        (None, {}, "there is no such container; check the address (404 ContainerNotFound)"),
        ("kaggle/raw", {"AZURE_STORAGE_KEY": "d3Jvbmc="}, "refuses the login by AZURE_STORAGE_KEY (403"),
        ("kaggle/raw", {"AZURE_STORAGE_ACCOUNT": "other"}, "no way to log in to account devstoreaccount1"),
    ],
)
def test_what_is_wrong_with_a_source_is_told_in_a_line(spark, source, store, monkeypatch, folder, secrets, told):
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(logins.shutil, "which", lambda name: None)
    address = source.replace("kaggle/raw", folder) if folder else source.replace("/test-", "/gone-")
    with pytest.raises((DataError, StorageError, UsageError)) as caught:
        ingest_tables(spark, address, TABLES, store)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
