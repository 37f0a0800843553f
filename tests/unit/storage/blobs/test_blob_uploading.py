"""What a slow line does to an upload."""

from __future__ import annotations

from sparksweep.storage.blobs import uploading


class Blob:
    """Stands for the client of a blob: only what a block is sent with counts."""

    def stage_block(self, name, data, **settings):
        self.settings = settings


def test_a_line_of_1_mbit_a_second_is_quick_enough(tmp_path):
    """The time to connect is also that for all of a block's body to leave."""
    (tmp_path / "x.zip").write_bytes(bytes(uploading.BLOCK_BYTES + 1))
    file, blob = uploading._read_through(tmp_path / "x.zip"), Blob()
    assert [block.size for block in file.blocks] == [uploading.BLOCK_BYTES, 1]
    uploading._stage(blob, file.path, file.blocks[0])
    assert 8 * uploading.BLOCK_BYTES * uploading.THREADS / blob.settings["connection_timeout"] < 1e6
