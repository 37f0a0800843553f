from __future__ import annotations

import csv
import datetime
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest

from sparksweep.errors import ArchiveError, DataError, RowError
from sparksweep.ingest import Column, TableSchema
from sparksweep.ingest import rows as reader
from sparksweep.ingest.archive import open_member
from sparksweep.ingest.rejecting import Rejects, read_fitting_rows
from sparksweep.ingest.rows import read_rows

EVENTS = TableSchema(
    "events",
    (
        Column("event_id", "int32"),
        Column("device_id", "int64"),
        Column("timestamp", "timestamp"),
        Column("longitude", "float64"),
        Column("category", "string"),
    ),
)
HEADER = "event_id,device_id,timestamp,longitude,category\n"
GOOD = "1,-7,2016-05-01 00:55:25,121.38,game\n"


def read(uri, schema=EVENTS):
    return pa.Table.from_batches(read_rows(uri, schema), schema=schema.arrow_schema()).to_pylist()


def can_be_read_without_rows(uri, schema):
    try:
        list(read_fitting_rows(uri, schema, Rejects(uri, 1_000_000)))
    except DataError as error:
        return "rows fits, the first" in str(error)
    return True


def problem(uri, schema=EVENTS):
    with pytest.raises(DataError) as caught:
        read(uri, schema)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, RowError) == can_be_read_without_rows(uri, schema)
    return str(caught.value).removeprefix(f"{uri}: ")


def utc(text):
    return datetime.datetime.fromisoformat(f"{text}+00:00")


def test_types_and_lines(make_zip):
    text = HEADER + GOOD + '2,9,2016-05-08 23:59:59,-0.5,"a, ""b"" 小米 "\n'
    assert read(make_zip(text=text)) == [
        dict(event_id=1, device_id=-7, timestamp=utc("2016-05-01 00:55:25"), longitude=121.38, category="game", line=1),
        dict(
            event_id=2,
            device_id=9,
            timestamp=utc("2016-05-08 23:59:59"),
            longitude=-0.5,
            category='a, "b" 小米 ',
            line=2,
        ),
    ]


def test_64_bit_integers_keep_every_digit(make_zip):
    ids = TableSchema("ids", (Column("id", "int64"),))
    values = [2**63 - 1, -(2**63), 2**53 + 1, 1002079943728939269]
    rows = read(make_zip("ids", "id\n" + "\n".join(map(str, values)) + "\n"), ids)
    assert [row["id"] for row in rows] == values


def test_empty_text_is_kept_as_empty_text(make_zip):
    assert read(make_zip(text=HEADER + GOOD.replace("game", "")))[0]["category"] == ""


@pytest.mark.parametrize("text", ["NA", "null", "nan", "NULL"])
def test_words_for_nothing_are_text(make_zip, text):
    assert read(make_zip(text=HEADER + GOOD.replace("game", text)))[0]["category"] == text


def test_nullable_columns_take_empty_fields(make_zip):
    schema = TableSchema(
        "n", (Column("a", "int64", True), Column("t", "timestamp", True), Column("f", "float64", True))
    )
    assert read(make_zip("n", "a,t,f\n,,\n1,2016-05-01 00:00:00,2\n"), schema) == [
        {"a": None, "t": None, "f": None, "line": 1},
        {"a": 1, "t": utc("2016-05-01 00:00:00"), "f": 2.0, "line": 2},
    ]


def test_lines_go_on_over_blocks(make_zip, monkeypatch):
    monkeypatch.setattr(reader, "_BLOCK_BYTES", 100)
    rows = read(make_zip(text=HEADER + GOOD * 50))
    assert [row["line"] for row in rows] == list(range(1, 51))


def test_text_over_several_lines_is_one_row(make_zip, monkeypatch):
    monkeypatch.setattr(reader, "_BLOCK_BYTES", 120)
    rows = read(make_zip(text=HEADER + (GOOD.replace("game", '"two\nlines"')) * 20))
    assert [(row["category"], row["line"]) for row in rows] == [("two\nlines", n) for n in range(1, 21)]


def test_carriage_returns_byte_order_mark_and_missing_last_newline(make_zip):
    text = "\ufeff" + (HEADER + GOOD).replace("\n", "\r\n").rstrip()
    assert read(make_zip(text=text))[0]["category"] == "game"


@pytest.mark.slow
@pytest.mark.versions
@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("x,-7,2016-05-01 00:55:25,1,g", "data line 3, column event_id: 'x' is not a whole number (int32)"),
        ("1.0,-7,2016-05-01 00:55:25,1,g", "data line 3, column event_id: '1.0' is not a whole number (int32)"),
        ("2147483648,-7,2016-05-01 00:55:25,1,g", "data line 3, column event_id: '2147483648' does not fit in 32 bits"),
        (
            "1,9223372036854775808,2016-05-01 00:55:25,1,g",
            "data line 3, column device_id: '9223372036854775808' does not fit in 64 bits (int64)",
        ),
        ("1,1e3,2016-05-01 00:55:25,1,g", "data line 3, column device_id: '1e3' is not a whole number (int64)"),
        ("1,0x10,2016-05-01 00:55:25,1,g", "data line 3, column device_id: '0x10' is not a whole number (int64)"),
        ("0XA,7,2016-05-01 00:55:25,1,g", "data line 3, column event_id: '0XA' is not a whole number (int32)"),
        ("1,٣,2016-05-01 00:55:25,1,g", "data line 3, column device_id: '٣' is not a whole number (int64)"),
        ("1,7,2016-05-01 00:55:25,1_0,g", "data line 3, column longitude: '1_0' is not a number (float64)"),
        ("1,,2016-05-01 00:55:25,1,g", "data line 3, column device_id: '' is empty; every row needs a value (int64)"),
        ("1,7,,1,g", "data line 3, column timestamp: '' is empty; every row needs a value (timestamp)"),
        ("1,7,2016-05-01,1,g", "data line 3, column timestamp: '2016-05-01' is not a time of the form YYYY-MM-DD"),
        (
            "1,7,0000-01-01 00:00:00,1,g",
            "data line 3, column timestamp: '0000-01-01 00:00:00' is not a time of the form",
        ),
        ("1,7,2016-02-31 00:00:00,1,g", "column timestamp: '2016-02-31 00:00:00' is not a time of the form"),
        ("1,7,01.05.2016 00:55:25,1,g", "column timestamp: '01.05.2016 00:55:25' is not a time of the form"),
        ("1,7,2016-05-01 00:55:25,east,g", "data line 3, column longitude: 'east' is not a number (float64)"),
        ("1,7,2016-05-01 00:55:25,1", "data line 3: 4 fields, expected 5 ('1,7,2016-05-01 00:55:25,1')"),
        ("1,7,2016-05-01 00:55:25,1,g,h", "data line 3: 6 fields, expected 5"),
        ("1,7,2016-05-01 00:55:25,1," + "g" * 100 + ",", "'1,7,2016-05-01 00:55:25,1,gggggggggggggggggggggggggggggggg"),
    ],
)
def test_row_that_does_not_fit(make_zip, row, expected):
    assert expected in problem(make_zip(text=HEADER + GOOD + GOOD + row + "\n" + GOOD))


def test_bad_row_far_in_the_file_after_good_blocks(make_zip, monkeypatch):
    monkeypatch.setattr(reader, "_BLOCK_BYTES", 200)
    text = HEADER + GOOD * 500 + GOOD.replace("-7", "seven") + GOOD * 500
    assert problem(make_zip(text=text)) == "data line 501, column device_id: 'seven' is not a whole number (int64)"


def test_first_bad_row_is_the_one_named(make_zip):
    text = HEADER + GOOD + GOOD.replace("121.38", "x") + GOOD.replace("-7", "y")
    assert problem(make_zip(text=text)).startswith("data line 2, column longitude: 'x'")


def test_text_that_is_not_utf_8(make_zip):
    data = (HEADER + GOOD).encode() + GOOD.replace("game", "小米").encode("gbk")
    expected = "is not UTF-8; save the file in that encoding"
    assert expected in problem(make_zip(members=[("events.csv", data)]))


@pytest.mark.parametrize("n_rows_after", [0, 3, 20_000])
def test_quote_that_is_never_closed(make_zip, n_rows_after):
    text = HEADER + GOOD + GOOD.replace("game", '"game') + GOOD * n_rows_after
    assert problem(make_zip(text=text)) == "data line 2, column category: a quoted text does not end; close the quote"


def test_quote_that_is_not_closed_within_megabytes(make_zip):
    """The fast reader gives up by itself, with words of its own."""
    text = HEADER + GOOD + GOOD.replace("game", '"game') + GOOD * 300_000
    uri = make_zip(text=text, compression=zipfile.ZIP_STORED)
    assert problem(uri) == "data line 2, column category: a quoted text does not end; close the quote"


def test_two_quotes_that_are_never_closed(make_zip):
    """The first would end where the second begins, and the lines between would be one text."""
    opened = GOOD.replace("game", '"game')
    assert problem(make_zip(text=HEADER + GOOD + opened + GOOD + opened + GOOD)) == (
        "data line 2, column category: a quoted text does not end; close the quote"
    )


def test_the_column_whose_quote_is_not_closed(make_zip):
    names = TableSchema("names", (Column("a", "string"), Column("b", "string"), Column("c", "string")))
    text = '"a","b","c"\n\n"x\n""y"", ",2"x,\n"x, ""y""\nz","open,\nx,y,z\n'
    assert problem(make_zip("names", text), names) == (
        "data line 2, column b: a quoted text does not end; close the quote"
    )


def test_text_longer_than_pythons_own_limit(make_zip):
    """It is gone through by Python's reader for its quotes; whatever the limit was before in the process."""
    limit = csv.field_size_limit(100)
    rows = read(make_zip(text=HEADER + GOOD.replace("game", '"a ""game"", ' + "b" * 200_000 + '"')))
    csv.field_size_limit(limit)
    assert len(rows[0]["category"]) == 200_010


@pytest.mark.parametrize("row", ['"6"7', '"67'])
def test_stray_quote_among_numbers(make_zip, row):
    ids = TableSchema("ids", (Column("id", "int64"),))
    assert [each["id"] for each in read(make_zip("ids", 'id\n"5"\n67\n'), ids)] == [5, 67]
    assert problem(make_zip("ids", f'id\n"5"\n{row}'), ids) == (
        "data line 2, column id: a quoted text does not end; close the quote"
    )


def test_x_in_a_text_is_fine(make_zip):
    rows = read(make_zip(text=HEADER + GOOD.replace("game", "Nexus 0x10") + GOOD))
    assert [row["category"] for row in rows] == ["Nexus 0x10", "game"]


def test_hexadecimal_number_in_a_table_without_texts(make_zip):
    ids = TableSchema("ids", (Column("id", "int64"),))
    assert problem(make_zip("ids", "id\n7\n0x1f\n8\n"), ids) == (
        "data line 2, column id: '0x1f' is not a whole number (int64)"
    )


@pytest.mark.parametrize("block", [1, 2, 3, 1 << 20])
def test_what_is_looked_for_while_a_file_is_read(make_zip, block):
    def found(text):
        with open_member(make_zip(text=text), EVENTS) as stream:
            while stream.read(block):
                pass
            return stream.has_hexadecimal, stream.has_quote

    assert found('"0x"\r\n1,x0,0,X\n') == (False, False)
    assert found('a\n1,x0,"\n') == (False, True)
    assert found("a\n1,0x2\n") == found("a\r1,0X\n") == (True, False)


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (TableSchema("t", (Column("idx", "int64"), Column("tax", "float64"))), "idx,tax\n1,2\n"),
        (TableSchema("t", (Column("id", "int64"), Column("name", "string"))), '"id","name"\n1,Nexus 5x 07 X\n'),
        (TableSchema("t", (Column("name", "string"), Column("x0x", "float64"))), "name,x0x\n0x7,2\n"),
    ],
)
def test_a_file_is_gone_through_once_where_nothing_can_be_misread(make_zip, monkeypatch, schema, text):
    monkeypatch.setattr(reader, "check_rows", lambda *_: pytest.fail("it is read again, row by row"))
    assert len(read(make_zip("t", text), schema)) == 1


def test_odd_number_of_quotes_inside_texts_is_fine(make_zip):
    assert read(make_zip(text=HEADER + GOOD.replace("game", 'a 5" screen')))[0]["category"] == 'a 5" screen'


def test_missing_columns_are_all_named(make_zip):
    assert problem(make_zip(text="event_id,timestamp,category\n1,2016-05-01 00:55:25,g\n")) == (
        "columns of events.csv are without device_id, longitude; "
        "expected event_id,device_id,timestamp,longitude,category"
    )


def test_wrong_columns_are_all_named(make_zip):
    text = HEADER.replace("event_id", "id").replace("category", "label") + GOOD
    assert problem(make_zip(text=text)).startswith(
        "columns of events.csv are without event_id, category; with unknown 'id', 'label'; expected event_id,"
    )


def test_columns_in_another_order(make_zip):
    text = "device_id,event_id,timestamp,longitude,category\n" + GOOD
    assert "are in another order or doubled: device_id, event_id, timestamp" in problem(make_zip(text=text))


def test_other_delimiter(make_zip):
    assert "with unknown 'event_id;device_id;" in problem(make_zip(text=(HEADER + GOOD).replace(",", ";")))


def test_columns_are_looked_at_before_rows(make_zip):
    assert "without device_id" in problem(make_zip(text="event_id\nx\n"))


def test_no_header(make_zip):
    assert problem(make_zip(text="")) == (
        "events.csv is empty; its first line must be event_id,device_id,timestamp,longitude,category"
    )


@pytest.mark.parametrize("end", ["\n", ""])
def test_header_only(make_zip, end):
    assert (
        problem(make_zip(text=HEADER.rstrip() + end)) == "events.csv has a header and no row; the table cannot be empty"
    )


def test_damage_is_named_before_what_it_does_to_the_rows(make_zip):
    uri = make_zip(text=HEADER + GOOD * 3, compression=0)
    data = bytearray(Path(uri).read_bytes())
    data[data.index(b"121.38")] = ord("x")
    Path(uri).write_bytes(data)
    with pytest.raises(ArchiveError, match="Bad CRC-32"):
        read(uri)


def test_damage_at_the_end_of_good_rows(make_zip):
    uri = make_zip(text=HEADER + GOOD * 3, compression=0)
    data = bytearray(Path(uri).read_bytes())
    data[data.index(b"121.38")] = ord("9")
    Path(uri).write_bytes(data)
    with pytest.raises(ArchiveError, match="Bad CRC-32"):
        read(uri)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_for_a_csv_file(make_zip, tmp_path, compression):
    with zipfile.ZipFile(tmp_path / "inner.zip", "w", compression) as archive:
        archive.writestr("events.csv", HEADER + GOOD * 50)
    data = (tmp_path / "inner.zip").read_bytes()
    told = "events.csv is itself a zip; zip the CSV file, and once"
    assert problem(make_zip(members=[("events.csv", data)])) == told


def test_a_header_that_is_not_utf_8(make_zip):
    data = (HEADER.replace("category", "类别") + GOOD).encode("gbk")
    assert "are without category; with unknown '" in problem(make_zip(members=[("events.csv", data)]))
