"""What can be wrong with archives, through blobs: the line that a local folder gives, with the address of the blob."""

from __future__ import annotations

import io
import zipfile

import pytest
from tests.cluster.fault_proxy import Fault

from sparksweep.errors import SparksweepError, StorageError
from sparksweep.ingest import Column, TableSchema
from sparksweep.ingest.rejecting import Rejects, read_fitting_rows
from sparksweep.ingest.rows import read_rows
from sparksweep.ingest.source import find_archives, open_source
from sparksweep.ingest.tables import source_fingerprint

EVENTS = TableSchema(
    "events",
    (Column("event_id", "int32"), Column("device_id", "int64"), Column("time", "timestamp")),
    key=("event_id",),
)
BRANDS = TableSchema("brands", (Column("device_id", "int64"), Column("brand", "string")))
TABLES = [EVENTS, BRANDS]
HEADER, ROW = "event_id,device_id,time\n", "1,-7,2016-05-01 00:55:25\n"
ROWS = HEADER + ROW * 3
BRAND = "device_id,brand\n-7,小米\n"


def zipped(text, member="events.csv", method=zipfile.ZIP_DEFLATED):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", method) as archive:
        archive.writestr(member, text)
    return data.getvalue()


def linked():
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        link = zipfile.ZipInfo("events.csv")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/hostname")
    return data.getvalue()


def events(*rows):
    """Return an archive whose third data line, and what follows, are these rows."""
    return {"events.csv.zip": zipped(HEADER + ROW * 2 + "".join(rows))}


def brands(*rows):
    data = BRAND.encode() + b"".join(row if isinstance(row, bytes) else row.encode() for row in rows)
    return {"brands.csv.zip": zipped(data, "brands.csv")}


def flipped(data):
    spoilt = bytearray(data)
    spoilt[len(spoilt) // 3] ^= 0x10
    return bytes(spoilt)


GOOD = {"events.csv.zip": zipped(ROWS), "brands.csv.zip": zipped(BRAND, "brands.csv")}
# What is put in place of the good archives, None for nothing, and words of what is said.
SPOILT = {
    "missing": ({"events.csv.zip": None}, "events.csv.zip missing; put them there, one zip a table"),
    "doubled": ({"events.csv (1).zip": zipped(ROWS)}, "are all table events; keep one, named events.csv.zip"),
    "another member": ({"events.csv.zip": zipped(ROWS, "event.csv")}, "holds 'event.csv'; expected 'events.csv' once"),
    "a zip in a zip": ({"events.csv.zip": zipped(zipped(ROWS), "events.csv.zip")}, "holds 'events.csv.zip'; expected"),
    "a zip for a CSV": (
        {"events.csv.zip": zipped(zipped(ROWS))},
        "events.csv is itself a zip; zip the CSV file, and once",
    ),
    "a member outside": ({"events.csv.zip": zipped(ROWS, "../events.csv")}, "points outside the zip; the file is not"),
    "a link": ({"events.csv.zip": linked()}, "member 'events.csv' is a link; the file is not trusted"),
    "a bomb": ({"events.csv.zip": zipped(ROWS + "1,1,1\n" * 600_000)}, "times its size; at most 200 is taken for data"),
    "cut off": ({"events.csv.zip": zipped(ROWS)[:-40]}, "the zip is damaged or not whole ("),
    "a flipped bit": (
        {"events.csv.zip": flipped(zipped(ROWS, method=zipfile.ZIP_STORED))},
        "damaged or not whole (Bad CRC",
    ),
    "no zip": ({"events.csv.zip": ROWS.encode()}, "the zip is damaged or not whole (File is not a zip file)"),
    "an empty table": ({"events.csv.zip": zipped(HEADER)}, "events.csv has a header and no row; the table cannot be"),
    "a column less": (
        {"events.csv.zip": zipped("event_id,time\n1,x\n")},
        "columns of events.csv are without device_id",
    ),
    "another column": (
        {"events.csv.zip": zipped(ROWS.replace("time", "t"))},
        "without time; with unknown 't'; expected",
    ),
    "another delimiter": ({"events.csv.zip": zipped(ROWS.replace(",", ";"))}, "unknown 'event_id;device_id;time'"),
    "a text for a number": (events("x,-7,2016-05-01 00:55:25\n"), "data line 3, column event_id: 'x' is not a whole"),
    "beyond 64 bits": (
        events("1,9223372036854775808,2016-05-01 00:55:25\n"),
        "data line 3, column device_id: '9223372036854775808' does not fit in 64 bits (int64)",
    ),
    "another date": (events("1,-7,01.05.2016 00:55\n"), "data line 3, column time: '01.05.2016 00:55' is not a time"),
    "a field less": (events("1,-7\n"), "data line 3: 2 fields, expected 3 ('1,-7')"),
    "bad UTF-8": (brands("8,小米\n".encode("gbk")), "data line 2, column brand: '"),
    "an open quote": (
        brands('8,"a\n', "9,b\n"),
        "data line 2, column brand: a quoted text does not end; close the quote",
    ),
}


class Raw:
    """The same archives in a container and in a local folder."""

    def __init__(self, container, address, folder):
        self._container = container
        self.address = address
        self.folder = folder
        folder.mkdir()

    def put(self, archives):
        for name, data in {**GOOD, **archives}.items():
            if data is not None:
                self._container.upload_blob(f"raw/{name}", data)
                (self.folder / name).write_bytes(data)


@pytest.fixture
def raw(container, azurite, fault_proxy, monkeypatch, tmp_path):
    monkeypatch.setenv("AZURE_STORAGE_KEY", azurite.key)
    return Raw(container, f"{fault_proxy.url}/{azurite.account}/{container.container_name}/raw", tmp_path / "raw")


def rows(source, max_rejected=None):
    """Read all tables, as ingest does."""
    opened, found, rejects = open_source(source), {}, {}
    source_fingerprint(opened, TABLES)
    for schema in TABLES:
        file = find_archives(opened, [schema])[schema.name]
        rejects[schema.name] = Rejects(file, max_rejected or 0)
        read = (
            read_rows(file, schema) if max_rejected is None else read_fitting_rows(file, schema, rejects[schema.name])
        )
        found[schema.name] = [row for batch in read for row in batch.to_pylist()]
    return found, {name: [(each.line, each.problem) for each in kept.first] for name, kept in rejects.items()}


def problem(source):
    with pytest.raises(SparksweepError) as caught:
        rows(source)
    assert "\n" not in str(caught.value)
    return type(caught.value), str(caught.value)


@pytest.mark.parametrize("name", SPOILT)
def test_it_is_said_in_the_line_of_a_local_folder(raw, name):
    archives, told = SPOILT[name]
    raw.put(archives)
    kind, line = problem(raw.address)
    assert line.startswith(raw.address)
    assert told in line
    assert (kind, line.replace(raw.address, str(raw.folder))) == problem(raw.folder)


def test_an_empty_blob_is_told_as_such(raw):
    raw.put({"events.csv.zip": b""})
    line = f"cannot read {raw.address}/events.csv.zip: it is empty (0 bytes); upload it again"
    assert problem(raw.address) == (StorageError, line)


@pytest.mark.parametrize("spoil", [lambda text: text.replace("\n", "\r\n"), lambda text: "\ufeff" + text])
def test_line_ends_and_a_byte_order_mark_are_no_mistakes(raw, spoil):
    raw.put({"events.csv.zip": zipped(spoil(ROWS)), "brands.csv.zip": zipped(spoil(BRAND), "brands.csv")})
    assert rows(raw.address) == rows(raw.folder)
    assert rows(raw.address)[0]["brands"] == [{"device_id": -7, "brand": "小米", "line": 1}]


def test_rejects_are_those_of_a_local_folder(raw, fault_proxy):
    """Also when the connection breaks on the way."""
    bad = ["x,-7,2016-05-01 00:55:25\n", "1,9223372036854775808,2016-05-01 00:55:25\n", "1,-7,2016-05-01\n", "1,-7\n"]
    raw.put({**events(*bad, ROW), **brands("8,小米\n".encode("gbk"), "x,b\n", "9,c\n")})
    cut = fault_proxy.add(Fault(path="events.csv.zip", cut_at=20, skip=1))
    found, rejects = rows(raw.address, 4)
    assert cut.hits == 1
    assert (found, rejects) == rows(raw.folder, 4)
    assert [len(found[name]) for name in ("events", "brands")] == [3, 2]
    assert [line for line, _ in rejects["events"]] == [3, 4, 5, 6]
    assert [line for line, _ in rejects["brands"]] == [2, 3]
