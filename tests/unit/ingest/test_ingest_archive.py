from __future__ import annotations

import stat
import struct
import zipfile
from pathlib import Path

import pytest

from sparksweep.errors import ArchiveError, StorageError
from sparksweep.ingest import Column, TableSchema
from sparksweep.ingest import archive as rules
from sparksweep.ingest.archive import describe_member, open_member
from sparksweep.ingest.source import LocalFile

EVENTS = TableSchema("events", (Column("id", "int64"),))
TEXT = "id\n" + "\n".join(str(n * n) for n in range(1000)) + "\n"


def read(uri, size=-1):
    """Read it to its end, so much at a time."""
    with open_member(uri, EVENTS) as stream:
        return b"".join(iter(lambda: stream.read(size), b""))


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_member_is_read_whole(make_zip, compression):
    assert read(make_zip(text=TEXT, compression=compression)) == TEXT.encode()


def test_member_is_described_from_the_directory(make_zip):
    assert describe_member(make_zip(text="id\n1\n"), EVENTS) == {"member": "events.csv", "size": 5, "crc": "cd5be90f"}


def test_what_a_mac_adds_is_passed_over(make_zip):
    clutter = ["__MACOSX/._events.csv", "__MACOSX/", ".DS_Store"]
    uri = make_zip(members=[("events.csv", TEXT), *((name, "junk") for name in clutter)])
    assert read(uri) == TEXT.encode()


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["event.csv"], "'event.csv'"),
        (["Events.csv"], "'Events.csv'"),
        (["data/events.csv"], "'data/events.csv'"),
        (["events.csv", "more.csv"], "'events.csv', 'more.csv'"),
        (["__MACOSX/._events.csv"], "nothing"),
    ],
)
def test_other_members_than_the_one(make_zip, names, found):
    uri = make_zip(members=[(name, TEXT) for name in names])
    with pytest.raises(ArchiveError) as caught:
        read(uri)
    assert str(caught.value) == f"{uri}: holds {found}; expected 'events.csv' once and nothing else"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_member_given_twice(make_zip):
    with pytest.raises(ArchiveError, match=r"holds 'events\.csv', 'events\.csv'; expected 'events\.csv' once"):
        read(make_zip(members=[("events.csv", TEXT), ("events.csv", "id\n")]))


@pytest.mark.parametrize(
    "name", ["../events.csv", "/etc/events.csv", "a/../../events.csv", "..\\events.csv", "C:\\events.csv"]
)
def test_name_that_points_outside(make_zip, name):
    with pytest.raises(ArchiveError, match="points outside the zip; the file is not trusted"):
        read(make_zip(members=[("events.csv", TEXT), (name, "x")]))


def test_link(make_zip):
    link = zipfile.ZipInfo("events.csv")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(ArchiveError, match=r"member 'events\.csv' is a link; the file is not trusted"):
        read(make_zip(members=[(link, "/etc/passwd")]))


def test_bomb(make_zip):
    with pytest.raises(ArchiveError, match=r"unpacks to \S+ times its size; at most 200"):
        read(make_zip(text="id\n" + "0" * (4 << 20)))


def test_few_equal_rows_are_no_bomb(make_zip):
    text = "id\n" + "0\n" * 100_000
    assert read(make_zip(text=text)) == text.encode()


def test_member_beyond_the_largest_size(make_zip, monkeypatch):
    monkeypatch.setattr(rules, "MAX_BYTES", 100)
    with pytest.raises(ArchiveError, match=r"member 'events\.csv' has [\d,]+ bytes; at most 100 are read"):
        read(make_zip(text=TEXT))


def test_encrypted(make_zip):
    uri = make_zip(text=TEXT)
    data = bytearray(Path(uri).read_bytes())
    for signature, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(signature) + offset] |= 1
    Path(uri).write_bytes(data)
    with pytest.raises(ArchiveError, match="is encrypted; save the zip without a password"):
        read(uri)


def test_other_compression(make_zip):
    with pytest.raises(ArchiveError, match="is compressed by method 12; use plain deflate"):
        read(make_zip(text=TEXT, compression=zipfile.ZIP_BZIP2))


@pytest.mark.parametrize("kept", [0.99, 0.5, 0.01])
def test_truncated(make_zip, kept):
    uri = make_zip(text=TEXT)
    data = Path(uri).read_bytes()
    Path(uri).write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(ArchiveError, match=r"the zip is damaged or not whole \(.+\); copy or download it again"):
        read(uri)


def test_empty_file(make_zip):
    uri = make_zip(text=TEXT)
    Path(uri).write_bytes(b"")
    with pytest.raises(ArchiveError, match="the zip is damaged or not whole"):
        read(uri)


def test_flipped_bit(make_zip):
    uri = make_zip(text=TEXT, compression=zipfile.ZIP_STORED)
    data = bytearray(Path(uri).read_bytes())
    data[200] ^= 1
    Path(uri).write_bytes(data)
    with pytest.raises(ArchiveError, match=r"damaged or not whole \(Bad CRC-32 for file 'events\.csv'\)"):
        read(uri)


def test_deflate_stream_that_ends_too_early(make_zip):
    uri = make_zip(text=TEXT)
    data = bytearray(Path(uri).read_bytes())
    # The directory claims more compressed bytes than there are before it: the stream runs into other bytes.
    at = data.index(b"PK\1\2") + 20
    size = struct.unpack_from("<I", data, at)[0]
    del data[size // 2 : size // 2 + 50]
    Path(uri).write_bytes(data)
    with pytest.raises(ArchiveError, match="the zip is damaged or not whole"):
        read(uri)


@pytest.mark.slow
@pytest.mark.versions
@pytest.mark.parametrize("more", [-700, -1, 1])
@pytest.mark.parametrize("size", [-1, 100, 1 << 20])
def test_a_directory_that_says_another_size(make_zip, more, size):
    uri = make_zip(text=TEXT)
    data = bytearray(Path(uri).read_bytes())
    at = data.index(b"PK\1\2") + 24
    struct.pack_into("<I", data, at, len(TEXT) + more)
    Path(uri).write_bytes(data)
    with pytest.raises(ArchiveError, match=r"Bad size for file 'events\.csv'"):
        read(uri, size)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_a_wrong_checksum_in_the_directory(make_zip, compression):
    uri = make_zip(text=TEXT, compression=compression)
    data = bytearray(Path(uri).read_bytes())
    data[data.index(b"PK\1\2") + 16] ^= 1
    Path(uri).write_bytes(data)
    with pytest.raises(ArchiveError, match=r"Bad CRC-32 for file 'events\.csv'"):
        read(uri, 500)


@pytest.mark.slow
@pytest.mark.versions
@pytest.mark.parametrize("size", [7, 4096, -1])
@pytest.mark.parametrize("text", ["", "x", TEXT, TEXT * 50, "a" * 100_000])
def test_it_is_inflated_in_pieces_of_any_size(make_zip, text, size):
    with open_member(make_zip(text=text), EVENTS) as stream:
        pieces = list(iter(lambda: stream.read(size), b""))
    assert b"".join(pieces) == text.encode()
    assert size == -1 or {len(piece) for piece in pieces[:-1]} <= {size}


def test_a_member_without_a_name(make_zip):
    uri = make_zip(members=[("events.csv", TEXT), ("a", "")])
    data = bytearray(Path(uri).read_bytes())
    at = data.rindex(b"PK\1\2")
    struct.pack_into("<HH", data, at + 28, 0, 1)  # what was the name's one byte is now of what may follow it
    Path(uri).write_bytes(data)
    with pytest.raises(ArchiveError, match="a member has no name; the file is not trusted"):
        read(uri)


def test_a_deflated_member_of_nothing_at_all(make_zip):
    uri = make_zip(text="", compression=zipfile.ZIP_STORED)
    data = bytearray(Path(uri).read_bytes())
    data[8] = data[data.index(b"PK\1\2") + 10] = zipfile.ZIP_DEFLATED
    Path(uri).write_bytes(data)
    assert read(uri) == b""


def test_header_of_the_member_overwritten(make_zip):
    uri = make_zip(text=TEXT)
    data = bytearray(Path(uri).read_bytes())
    data[:4] = b"XXXX"
    Path(uri).write_bytes(data)
    with pytest.raises(ArchiveError, match="the zip is damaged or not whole"):
        read(uri)


@pytest.mark.parametrize(
    ("offset", "value", "reason"),
    [
        (46, 0xFF, "'utf-8' codec can't decode byte 0xff in position 0"),
        (6, 128, "zip file version 12.8"),
        (8, 0x20, "compressed patched data"),
    ],
    ids=["name", "version", "flag"],
)
def test_directory_that_zipfile_cannot_read(make_zip, offset, value, reason):
    uri = make_zip(members=[("events.csv", TEXT)])
    data = bytearray(Path(uri).read_bytes())
    directory = data.index(b"PK\1\2")
    data[directory + 9] |= 0x08  # the name is said to be UTF-8
    data[directory + offset] = value
    Path(uri).write_bytes(data)
    with pytest.raises(
        ArchiveError, match=rf"the zip is damaged or not whole \({reason}.*\); copy or download it again"
    ):
        read(uri)


def test_no_such_file(tmp_path):
    with pytest.raises(
        StorageError, match=r"cannot read .*events\.csv\.zip: No such file or directory; check the path"
    ):
        read(LocalFile(str(tmp_path / "events.csv.zip")))
