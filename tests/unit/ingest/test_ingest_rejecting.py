"""Rows that do not fit are left out, counted and told of; the others come as ever."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparksweep.errors import ArchiveError, DataError
from sparksweep.ingest import Column, TableSchema, csv_rows, rejecting
from sparksweep.ingest.bundles import bundled
from sparksweep.ingest.rejecting import MOST_LISTED, Rejects, read_fitting_rows
from sparksweep.ingest.rows import read_rows

PAIRS = TableSchema("pairs", (Column("event_id", "int32"), Column("app_id", "int64")), key=("event_id", "app_id"))
NAMES = TableSchema(
    "names", (Column("id", "int64"), Column("name", "string"), Column("time", "timestamp", nullable=True))
)
PAIRS_HEADER, NAMES_HEADER = "event_id,app_id\n", "id,name,time\n"


def read(uri, schema, most=100):
    rejects = Rejects(uri, most)
    table = pa.Table.from_batches(read_fitting_rows(uri, schema, rejects), schema=schema.arrow_schema())
    return [tuple(row.values()) for row in table.to_pylist()], rejects


@pytest.fixture(params=[7, 40, 4 << 20])
def block(request, monkeypatch):
    """Cut files into blocks of some size."""
    monkeypatch.setattr(rejecting, "_BLOCK_BYTES", request.param)


@pytest.mark.usefixtures("block")
def test_numbers(make_zip):
    uri = make_zip(
        "pairs", PAIRS_HEADER + '1,5\n1,x\n1,0x10\n\n2\n3000000000,1\n2,99999999999999999999\n2,\n2,6,7\n 3 ,"8"\n1,6'
    )
    rows, rejects = read(uri, PAIRS)
    assert rows == [(1, 5, 1), (3, 8, 9), (1, 6, 10)]
    assert [reject.line for reject in rejects.first] == [2, 3, 4, 5, 6, 7, 8]
    assert rejects.count == 7
    assert [reject.problem for reject in rejects.first] == [
        "data line 2, column app_id: 'x' is not a whole number (int64)",
        "data line 3, column app_id: '0x10' is not a whole number (int64)",
        "data line 4: 1 fields, expected 2 ('2')",
        "data line 5, column event_id: '3000000000' does not fit in 32 bits (int32)",
        "data line 6, column app_id: '99999999999999999999' does not fit in 64 bits (int64)",
        "data line 7, column app_id: '' is empty; every row needs a value (int64)",
        "data line 8: 3 fields, expected 2 ('2,6,7')",
    ]


@pytest.mark.parametrize("batch", [1, 2, 1 << 16])
def test_texts(make_zip, monkeypatch, batch):
    monkeypatch.setattr(rejecting, "_BATCH_ROWS", batch)
    lines = [
        '1,"a\nb",2016-05-01 00:00:00',
        '2,"""x"", y",2016-05-01',
        "3,,",
        "x,z,",
        '4,12" tv,',
        '5,"a\r",',
        '6,"aa"x,',
    ]
    uri = make_zip("names", NAMES_HEADER + "\n".join(lines) + "\n0x10,hex,\n7,k,\n")
    rows, rejects = read(uri, NAMES)
    kept = [(1, "a\nb", 1), (3, "", 3), (4, '12" tv', 5), (5, "a\r", 6), (7, "k", 9)]
    assert [(row[0], row[1], row[3]) for row in rows] == kept
    assert [(reject.line, reject.problem.partition(": ")[0]) for reject in rejects.first] == [
        (2, "data line 2, column time"),
        (4, "data line 4, column id"),
        (7, "data line 7"),
        (8, "data line 8, column id"),
    ]


def test_text_that_is_no_utf_8(make_zip):
    uri = make_zip("names", members=[("names.csv", NAMES_HEADER.encode() + b"1,a\xff,\n2,\xc3\xa4,\n")])
    rows, rejects = read(uri, NAMES)
    assert rows == [(2, "ä", None, 2)]
    assert "is not UTF-8" in rejects.first[0].problem


def test_no_more_than_may_be(make_zip):
    uri = make_zip("pairs", PAIRS_HEADER + "1,5\n" + "x,1\n" * 3)
    assert read(uri, PAIRS, 3)[1].count == 3
    with pytest.raises(DataError) as caught:
        read(uri, PAIRS, 2)
    assert str(caught.value) == (
        f"{uri}: more than 2 rows do not fit, the first: data line 2, column event_id: 'x' is not a whole number "
        "(int32); mend the file, or allow more by data.max_rejected"
    )


def test_of_many_the_first_are_listed(make_zip):
    uri = make_zip("pairs", PAIRS_HEADER + "x,1\n" * (MOST_LISTED + 5) + "1,5\n")
    rows, rejects = read(uri, PAIRS, MOST_LISTED * 2)
    assert (rows, rejects.count, len(rejects.first)) == ([(1, 5, MOST_LISTED + 6)], MOST_LISTED + 5, MOST_LISTED)


@pytest.mark.parametrize(
    ("schema", "text"), [(PAIRS, PAIRS_HEADER + "x,1\n" * 4), (NAMES, NAMES_HEADER + "x,1,\n" * 4)]
)
def test_a_table_of_which_no_row_fits(make_zip, schema, text):
    uri = make_zip(schema.name, text)
    with pytest.raises(DataError) as caught:
        read(uri, schema)
    first = schema.columns[0]
    assert str(caught.value) == (
        f"{uri}: none of 4 rows fits, the first: data line 1, column {first.name}: 'x' is not a whole number "
        f"({first.type}); mend the file"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("event_id,app\n1,5\n", "columns of pairs.csv are without app_id"),
        ("event_id;app_id\n1;5\n", "columns of pairs.csv are without event_id, app_id"),
        (PAIRS_HEADER, "pairs.csv has a header and no row"),
        ("", "pairs.csv is empty"),
    ],
)
def test_what_is_wrong_with_the_file_stays_an_error(make_zip, text, message):
    with pytest.raises(DataError, match=message):
        read(make_zip("pairs", text), PAIRS)


ENDS = TableSchema("ends", (Column("id", "int32"), Column("name", "string")))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('1,aa\n2,"bb\n3,cc\n4,dd\n', 2),
        ('1,aa\nx,1\n\n2,"bb', 3),
        ('1,"a ""b""\n2,"c"\n3,d\n', None),
        (f'1,aa\n2,"bb\n{"3,cc" * 40}\n4,"dd"\n', 2),  # longer than a field may be
    ],
)
def test_a_quote_that_is_never_closed(make_zip, monkeypatch, text, line):
    monkeypatch.setattr(csv_rows, "LONGEST_FIELD", 100)
    uri = make_zip("ends", "id,name\n" + text)
    if line is None:  # it is closed by the next one: what stands between cannot be two rows
        rows, rejects = read(uri, ENDS)
        assert (rows, [reject.line for reject in rejects.first]) == ([(3, "d", 2)], [1])
        return
    with pytest.raises(DataError, match=rf"data line {line}, column name: a quoted text does not end; close the quote"):
        read(uri, ENDS)


@pytest.mark.usefixtures("block")
def test_a_stray_quote_among_numbers_costs_its_line(make_zip):
    rows, rejects = read(make_zip("pairs", PAIRS_HEADER + '1,5\n1,"2\n"3",4\n5,"6"7\n6,"7\n'), PAIRS)
    assert rows == [(1, 5, 1), (3, 4, 3)]
    assert [reject.problem for reject in rejects.first] == [
        "data line 2: a quoted text does not end; close the quote",
        "data line 4: not CSV (',' expected after '\"')",
        "data line 5: a quoted text does not end; close the quote",
    ]


def test_line_that_does_not_end(make_zip, monkeypatch):
    monkeypatch.setattr(rejecting, "LONGEST_FIELD", 10)
    monkeypatch.setattr(rejecting, "_BLOCK_BYTES", 8)
    with pytest.raises(DataError, match="0 MB without a line end; this is no CSV file of ours"):
        read(make_zip("pairs", PAIRS_HEADER + "1" * 100 + "\n"), PAIRS)


def test_text_longer_than_pythons_own_limit(make_zip):
    rows, _ = read(make_zip("ends", f"id,name\nx,y\n1,{'a' * 200_000}\n"), ENDS)
    assert [len(row[1]) for row in rows] == [200_000]


def test_damaged_archive(make_zip, tmp_path):
    uri = make_zip("pairs", PAIRS_HEADER + "".join(f"{n},{n}\n" for n in range(1000)))
    path = tmp_path / "pairs.csv.zip"
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArchiveError, match="damaged"):
        read(uri, PAIRS)


def test_bundles_end_where_a_row_is_left_out(make_zip):
    uri = make_zip("pairs", PAIRS_HEADER + "1,5\n1,x\n1,6\n1,7\n")
    (batch,) = read_fitting_rows(uri, PAIRS, Rejects(uri, 1))
    assert bundled(batch, PAIRS).to_pydict()["line"] == [1, 3]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-9, 9), st.text('a,"\n\r 小', max_size=4), st.sampled_from(["\n", "\r\n"]))),
    st.integers(1, 5),
    st.booleans(),
    st.booleans(),
)
def test_good_rows_are_those_of_the_fast_reader(make_zip_of_names, rows, size, with_bom, with_bad):
    lines = [f'{number},"{text.replace(chr(34), chr(34) * 2)}",{end}' for number, text, end in [(1, "x", "\n"), *rows]]
    header = ("\ufeff" if with_bom else "") + NAMES_HEADER
    uri = make_zip_of_names(header + "".join(lines))
    whole = pa.Table.from_batches(read_rows(uri, NAMES), schema=NAMES.arrow_schema()).to_pylist()
    uri = make_zip_of_names(header + "".join(lines) + with_bad * "bad,12,\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rejecting, "_BATCH_ROWS", size)
        found, rejects = read(uri, NAMES, 2)
    assert found == [tuple(row.values()) for row in whole]
    assert rejects.count == with_bad


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["1,5", " 2,-6 ", '3,"7"', "", "x,1", "4", "0x1,2", '5,"6\n7"']), min_size=1),
    st.integers(1, 30),
)
def test_numbers_in_any_blocks(make_zip_of_names, lines, size):
    good = {"1,5": (1, 5), " 2,-6 ": (2, -6), '3,"7"': (3, 7)}
    uri = make_zip_of_names(PAIRS_HEADER + "\n".join(lines) + "\n", "pairs")
    texts = [text for line in lines for text in line.split("\n") if text]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rejecting, "_BLOCK_BYTES", 1 << 20)
        if not good.keys() & set(texts):
            return
        found, rejects = read(uri, PAIRS)
        assert found == [(*good[text], n) for n, text in enumerate(texts, 1) if text in good]
        assert [reject.line for reject in rejects.first] == [n for n, text in enumerate(texts, 1) if text not in good]
        patch.setattr(rejecting, "_BLOCK_BYTES", size)
        assert read(uri, PAIRS)[0] == found


@pytest.fixture(scope="module")
def make_zip_of_names(tmp_path_factory):
    import zipfile

    from sparksweep.ingest.source import LocalFile

    folder = tmp_path_factory.mktemp("names")

    def make(text, name="names"):
        path = folder / f"{name}.csv.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"{name}.csv", text)
        return LocalFile(str(path))

    return make
