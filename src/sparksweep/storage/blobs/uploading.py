"""Local files into blobs, in blocks: what a call that broke off has sent is not sent again, and nothing half counts.

A block's name is made of its place and of the MD5 of its bytes, so that what the service has of an earlier call is
known by its name. A blob gets its name, its length and its MD5 in one step when all its blocks are there, and only if
nobody else has written it meanwhile.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobBlock, BlobClient, ContainerClient, ContentSettings

from sparksweep.errors import StorageError, UsageError
from sparksweep.storage.blobs.addresses import BlobAddress
from sparksweep.storage.blobs.failures import azure_failures
from sparksweep.storage.blobs.logins import Login
from sparksweep.storage.failures import os_failures
from sparksweep.storage.transfers import TransferProgress

__all__ = ["upload_files"]

BLOCK_BYTES = 1 << 20
# For a block to leave, all of it: the transport takes its time to connect for that too. With THREADS at once a line of
# 1 Mbit/s is quick enough.
SEND_SECONDS = 90
MOST_BLOCKS = 50_000  # of a blob, by the service's rule
THREADS = 4
# Answers to the last step by which another writer shows, or an earlier try of our own whose answer was lost.
WRITTEN_MEANWHILE = {"BlobAlreadyExists", "ConditionNotMet", "InvalidBlockList"}


@dataclass(frozen=True)
class _Block:
    place: int
    start: int
    size: int
    md5: bytes

    @property
    def name(self) -> str:
        """Of the same length for all blocks of a blob, by the service's rule."""
        return f"{self.place:06d}-{self.md5.hex()}"


@dataclass(frozen=True)
class _File:
    """A local file as it was when it was looked through."""

    path: Path
    size: int
    md5: bytes
    blocks: tuple[_Block, ...]


@dataclass(frozen=True)
class _Found:
    """A blob as it lies there."""

    size: int
    md5: bytes | None
    etag: str

    def holds(self, file: _File) -> bool:
        return (self.size, self.md5) == (file.size, file.md5)

    def lacking(self, file: _File) -> str:
        """Return what would tell whether it holds a file, "" where it does not."""
        return " (as long, without an MD5 to compare)" if self.md5 is None and self.size == file.size else ""


def upload_files(
    address: BlobAddress,
    login: Login,
    files: Mapping[str, Path],
    overwrite: bool,
    say: Callable[[str], None],
    on_progress: Callable[[TransferProgress], None],
) -> None:
    """Put files into a folder of a container; those that are there already are passed over.

    Parameters
    ----------
    address : BlobAddress
        The folder.
    login : Login
        Into its account.
    files : mapping of str to Path
        By their names in the folder.
    overwrite : bool
        Replace blobs of these names that hold something else.
    say : callable
        Takes a line a file.
    on_progress : callable
        Called as blocks arrive.

    Raises
    ------
    UsageError
        Blobs of these names hold something else; all are listed, and nothing is sent.
    StorageError
        The container cannot be reached, read or written; or another has written a blob meanwhile.
    """
    with login.container(address.container) as container:
        _Upload(address, login, container, overwrite, say, on_progress).run(files)


class _Upload:
    """One call: looks at all there is before the first byte is sent."""

    def __init__(
        self,
        address: BlobAddress,
        login: Login,
        container: ContainerClient,
        overwrite: bool,
        say: Callable[[str], None],
        on_progress: Callable[[TransferProgress], None],
    ) -> None:
        self._address = address
        self._failures = partial(azure_failures, how=login.how, sas=login.sas)
        self._container = container
        self._overwrite = overwrite
        self._say = say
        self._on_progress = on_progress
        self._began = time.monotonic()
        self._done = self._sent = self._total = 0

    def run(self, paths: Mapping[str, Path]) -> None:
        found = {name: self._look(name) for name in paths}
        files = {name: _read_through(path) for name, path in paths.items()}
        self._refuse_others(files, found)
        self._total = sum(file.size for file in files.values())
        missing = [name for name, file in files.items() if not _holds(found[name], file)]
        if missing:
            self._probe(missing[0])
        for name, file in files.items():
            if name in missing:
                self._send(name, file, found[name])
            else:
                self._advance(file.size, sent=0)
                self._say(f"{name}: {file.size:,} bytes, are there already")

    def _look(self, name: str) -> _Found | None:
        with self._failures("write", f"{self._address}/{name}"):
            try:
                facts = self._blob(name).get_blob_properties()
            except ResourceNotFoundError as error:
                if _code(error) == "ContainerNotFound":
                    raise
                return None
        md5 = facts.content_settings.content_md5
        return _Found(facts.size, bytes(md5) if md5 else None, facts.etag)

    def _refuse_others(self, files: Mapping[str, _File], found: Mapping[str, _Found | None]) -> None:
        others = [
            f"{name}{each.lacking(files[name])}" for name, each in found.items() if each and not each.holds(files[name])
        ]
        if others and not self._overwrite:
            raise UsageError(
                f"{self._address} holds {', '.join(others)} with another content; --overwrite replaces it, or choose "
                "another folder"
            )

    def _probe(self, name: str) -> None:
        """Find out whether blobs may be written, by a block that goes when its blob is written."""
        with self._failures("write", str(self._address)):
            self._blob(name).stage_block(_Block(MOST_BLOCKS, 0, 1, bytes(16)).name, b"0", length=1)

    def _send(self, name: str, file: _File, found: _Found | None) -> None:
        """Send the blocks that the service lacks, several at a time, and make the blob of them."""
        blob = self._blob(name)
        with self._failures("write", f"{self._address}/{name}"):
            staged = _staged(blob)
            missing = [block for block in file.blocks if (block.name, block.size) not in staged]
            kept = file.size - sum(block.size for block in missing)
            self._advance(kept, sent=0)
            # Its threads end with the process, also in the middle of a request, so that Ctrl-C does not wait for them.
            with ThreadPool(THREADS) as pool:
                for size in pool.imap_unordered(partial(_stage, blob, file.path), missing):
                    self._advance(size, sent=size)
            self._make(name, blob, file, found)
        self._say(f"{name}: {file.size - kept:,} bytes sent" + (f", {kept:,} were there" if kept else ""))

    def _make(self, name: str, blob: BlobClient, file: _File, found: _Found | None) -> None:
        """Turn the blocks into the blob, in one step and only if it is still what it was."""
        condition: dict[str, Any] = {"match_condition": MatchConditions.IfMissing}
        if found is not None:
            condition = {"match_condition": MatchConditions.IfNotModified, "etag": found.etag}
        kind = ContentSettings(content_type="application/zip", content_md5=bytearray(file.md5))
        try:
            blob.commit_block_list([BlobBlock(block.name) for block in file.blocks], content_settings=kind, **condition)
        except HttpResponseError as error:
            if _code(error) not in WRITTEN_MEANWHILE:
                raise
            now = self._look(name)
            if not _holds(now, file):
                raise StorageError(
                    f"cannot write {self._address}/{name}: another has written it meanwhile; look who it is, then run "
                    "it again"
                ) from None

    def _advance(self, done: int, sent: int) -> None:
        self._done, self._sent = self._done + done, self._sent + sent
        self._on_progress(TransferProgress(self._done, self._total, self._sent, time.monotonic() - self._began))

    def _blob(self, name: str) -> BlobClient:
        return self._container.get_blob_client(self._address.blob(name))


def _code(error: HttpResponseError) -> str:
    """Return the service's word for what is wrong."""
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or "")  # those that the client knows are of an enumeration


def _holds(found: _Found | None, file: _File) -> bool:
    return found is not None and found.holds(file)


def _read_through(path: Path) -> _File:
    """Return a file's length, MD5 and blocks."""
    whole = hashlib.md5(usedforsecurity=False)
    blocks: list[_Block] = []
    start = 0
    with os_failures("read", path), path.open("rb") as file:
        size = path.stat().st_size
        block_bytes = max(BLOCK_BYTES, -(-size // MOST_BLOCKS))
        while data := file.read(block_bytes):
            whole.update(data)
            blocks.append(_Block(len(blocks), start, len(data), _md5(data)))
            start += len(data)
    return _File(path, start, whole.digest(), tuple(blocks))


def _staged(blob: BlobClient) -> set[tuple[str, int]]:
    """Return name and size of the blocks that wait for their blob."""
    try:
        _, waiting = blob.get_block_list("uncommitted")
    except ResourceNotFoundError:
        return set()
    return {(str(block.id), int(block.size)) for block in waiting}


def _stage(blob: BlobClient, path: Path, block: _Block) -> int:
    """Send a block, whose MD5 the service checks; return its size."""
    with os_failures("read", path), path.open("rb") as file:
        file.seek(block.start)
        data = file.read(block.size)
    if _md5(data) != block.md5:
        raise StorageError(f"{path} changed while it was uploaded: run it again when it is whole")
    blob.stage_block(block.name, data, length=len(data), validate_content=True, connection_timeout=SEND_SECONDS)
    return block.size


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
