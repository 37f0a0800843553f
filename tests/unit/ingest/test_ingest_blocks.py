"""A file cut into blocks says the same as the file read in one go."""

from __future__ import annotations

import zipfile

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparksweep.errors import ArchiveError, DataError, SparksweepError
from sparksweep.ingest import Column, TableSchema, blocks
from sparksweep.ingest.blocks import Block, count_rows, read_blocks
from sparksweep.ingest.rows import parse_block, read_rows
from sparksweep.ingest.tasks import Outcome, summed

PAIRS = TableSchema("pairs", (Column("event_id", "int32"), Column("app_id", "int64")))
HEADER = "event_id,app_id\n"


@pytest.fixture
def pairs(make_zip):
    """Return a function that writes the archive ``pairs`` with some lines."""
    return lambda text: make_zip("pairs", text)


def cut(uri, size):
    return list(read_blocks(uri, PAIRS, size))


def parsed(uri, size):
    rows = []
    for first_line, _, text in cut(uri, size):
        for batch in parse_block(uri, PAIRS, pa.py_buffer(text), first_line):
            rows += map(tuple, zip(*batch.to_pydict().values(), strict=True))
    return rows


def read(uri):
    return [row for batch in read_rows(uri, PAIRS) for row in zip(*batch.to_pydict().values(), strict=True)]


def test_blocks_end_with_a_line(pairs):
    uri = pairs(HEADER + "1,5\n1,6\n22,7\n3,8")
    assert cut(uri, 20) == [Block(1, 1, b"1,5\n"), Block(2, 2, b"1,6\n22,7\n"), Block(4, 1, b"3,8")]
    assert cut(uri, 1000) == [Block(1, 3, b"1,5\n1,6\n22,7\n"), Block(4, 1, b"3,8")]


def test_header_longer_than_a_block(pairs):
    assert cut(pairs(HEADER + "1,5\n"), 3) == [Block(1, 1, b"1,5\n")]


@pytest.mark.parametrize(
    ("text", "n_rows"),
    [
        (b"", 0),
        (b"1,5", 1),
        (b"1,5\n", 1),
        (b"1,5\n2,5", 2),
        (b"\n1,5\n", 1),
        (b"1,5\n\n\n2,5\n", 2),
        (b"1,5\r\n2,5\r\n", 2),
        (b"1,5\r\n\r\n2,5\r\n", 2),
        (b"\r\n1,5\r\n", 1),
        (b"1,5\r2,5\r\n", 2),
        (b"\n\n", 0),
    ],
)
def test_count_rows(text, n_rows):
    assert count_rows(text) == n_rows


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-9, 999), st.integers(-(2**63), 2**63 - 1)), min_size=1, max_size=12),
    st.lists(st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\r\n\r\n", "\n\r\n"]), min_size=12, max_size=12),
    st.sampled_from(["", "\ufeff", "\n", "\r\n\n"]),
    st.booleans(),
    st.integers(1, 40),
)
def test_any_cut_gives_the_same_rows(tmp_path_factory, lines, ends, mark, last_end, size):
    text = "".join(f"{event},{app}{end}" for (event, app), end in zip(lines, ends, strict=False))
    uri = str(tmp_path_factory.mktemp("zip") / "pairs.csv.zip")
    with zipfile.ZipFile(uri, "w") as archive:
        archive.writestr("pairs.csv", mark + HEADER + (text if last_end else text.rstrip("\r\n")))
    expected = [(*line, number) for number, line in enumerate(lines, start=1)]
    assert parsed(uri, size) == read(uri) == expected


@pytest.mark.parametrize(
    "text",
    ["event_id\n1\n", "", HEADER, HEADER.strip(), "app_id,event_id\n1,5\n", HEADER + "\n\n"],
    ids=["too few columns", "empty file", "no row", "no line end", "other order", "blank lines"],
)
def test_what_is_wrong_with_the_file_is_told_in_the_same_words(pairs, text):
    uri = pairs(text)
    with pytest.raises(DataError) as one_go:
        read(uri)
    with pytest.raises(DataError) as in_blocks:
        cut(uri, 1000)
    assert str(in_blocks.value) == str(one_go.value)


@pytest.mark.parametrize(
    "line", ["x,5", "1", "1,2,3", "1,", "1,9223372036854775808", "0x10,5", '"1,5', "1,5.0", "\ufeff1,5"]
)
def test_what_is_wrong_with_a_row_is_told_in_the_same_words(pairs, line):
    uri = pairs(HEADER + "1,5\n2,5\n3,5\n" + line + "\n5,5\n")
    with pytest.raises(DataError) as one_go:
        read(uri)
    with pytest.raises(DataError) as in_blocks:
        parsed(uri, 20)
    assert "data line 4" in str(in_blocks.value)
    assert str(in_blocks.value) == str(one_go.value)


def test_file_without_line_ends(pairs, monkeypatch):
    monkeypatch.setattr(blocks, "_LONGEST_LINE", 64)
    with pytest.raises(DataError, match="without a line end"):
        cut(pairs("1" * 500), 10)


@pytest.mark.parametrize("size", [20, 9])
def test_byte_order_mark_where_a_block_begins(pairs, size):
    uri = pairs(HEADER + "1,5\n\ufeff2,5\n")
    with pytest.raises(DataError, match=r"data line 2, column event_id: .* is not a whole number"):
        parsed(uri, size)


WHOLE = [Outcome("t", 7, 3), Outcome("t", 4, 3), Outcome("t", 1, 3), Outcome("t", 0, 9)]


def test_outcomes_are_put_together():
    assert summed("t", WHOLE).rows_read == 9
    assert summed("t", [*WHOLE, WHOLE[2], WHOLE[3]]).rows_read == 9  # tasks that Spark ran again
    assert summed("t", [Outcome("t", 1, 3)]).rows_read == 3  # by one task, which cuts nothing


@pytest.mark.parametrize(
    "outcomes", [[], [Outcome("t", 0, 9)], WHOLE[1:], [*WHOLE[:1], *WHOLE[2:]], [*WHOLE[:2], WHOLE[3]]]
)
def test_what_no_task_has_spoken_of_is_not_passed_over(outcomes):
    with pytest.raises(SparksweepError, match="t: Spark did not say what became of data line"):
        summed("t", outcomes)


def test_the_first_problem_of_the_file_is_told():
    later, earlier = DataError("line 9"), DataError("line 5")
    outcomes = [*WHOLE[2:], Outcome("t", 7, problem=later), Outcome("t", 4, problem=earlier)]
    assert summed("t", outcomes).problem is earlier


def test_a_problem_stays_one_when_the_task_runs_again():
    problem = DataError("read error")
    failed = Outcome("t", 0, 3, problem=problem)
    assert summed("t", [failed, *WHOLE]).problem is summed("t", [*WHOLE, failed]).problem is problem


def test_damaged_archive_explains_the_rest():
    damage = ArchiveError("damaged")
    outcomes = [Outcome("t", 4, problem=DataError("odd row")), Outcome("t", 9, problem=damage)]
    assert summed("t", outcomes).problem is damage
