"""A folder in a container: what lies in it, and leave to read it for tasks."""

from __future__ import annotations

from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple
from urllib.parse import quote

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobProperties

from sparksweep.storage.blobs.addresses import BlobAddress, parse_address
from sparksweep.storage.blobs.failures import azure_failures
from sparksweep.storage.blobs.logins import HadoopKeys, Login, log_in
from sparksweep.storage.blobs.secrets import read_secrets
from sparksweep.storage.blobs.streams import BlobFile

__all__ = ["BlobFolder", "Listed", "open_blob_folder"]


class Listed(NamedTuple):
    """A blob as its container's listing has it.

    Attributes
    ----------
    size : int
        In bytes.
    etag : str
        Changes with every change of the blob; in quotes, as a request has it.
    content_md5 : bytes or None
        Of the whole, where whoever uploaded it left one.
    """

    size: int
    etag: str
    content_md5: bytes | None


def open_blob_folder(uri: str, hadoop_key: HadoopKeys | None = None) -> BlobFolder:
    """Log in to the account of a folder; nothing in it is looked at yet.

    Parameters
    ----------
    uri : str
        A form of `parse_address`.
    hadoop_key : callable, optional
        Looks an account's key up in Hadoop's configuration, for wasb and abfs.

    Raises
    ------
    UsageError
        It is no address, or there is no way to log in.
    """
    address = parse_address(uri)
    return BlobFolder(address, log_in(address, read_secrets(), hadoop_key))


class BlobFolder:
    """The blobs directly in a folder, as they were when first looked at: one that is replaced later is no longer read.

    Parameters
    ----------
    address : BlobAddress
        Where it is.
    login : Login
        How its account is entered.
    """

    def __init__(self, address: BlobAddress, login: Login) -> None:
        self._address = address
        self._login = login

    def __str__(self) -> str:
        return str(self._address)

    def exists(self) -> bool:
        """Tell whether there is anything in it.

        Raises
        ------
        StorageError
            It cannot be listed.
        """
        with self._failures(), suppress(ResourceNotFoundError):
            return bool(self._listed)
        return False

    def files(self) -> dict[str, BlobFile]:
        """Return what is in it by sorted name, each with leave to read it for at most an hour.

        Raises
        ------
        StorageError
            It cannot be listed, or there is no such container.
        """
        with self._failures():
            listed = self._listed
        access = self._login.read_access(self._address.container)
        return {
            name: BlobFile(f"{self}/{name}", self._url(name), each.size, each.etag, each.content_md5, access)
            for name, each in listed.items()
        }

    def renewed(self, file: BlobFile) -> BlobFile:
        """Return the same file with new leave to read it; itself where that is the user's own SAS."""
        if self._login.sas is not None:
            return file
        return replace(file, access=self._login.read_access(self._address.container))

    @cached_property
    def _listed(self) -> dict[str, Listed]:
        return _walk(self._login, self._address)

    def _failures(self) -> AbstractContextManager[None]:
        return azure_failures("list", str(self), self._login.how, self._login.sas)

    def _url(self, name: str) -> str:
        return f"{self._login.endpoint}/{self._address.container}/{quote(self._address.blob(name))}"


def _walk(login: Login, address: BlobAddress) -> dict[str, Listed]:
    start = f"{address.folder}/" if address.folder else ""
    with login.container(address.container) as client:
        found = client.walk_blobs(name_starts_with=start, delimiter="/")
        # Folders have no properties; what Hadoop leaves for one is an empty blob of the folder's name.
        blobs = [blob for blob in found if isinstance(blob, BlobProperties) and blob.name != start]
    return {blob.name[len(start) :]: _listed(blob) for blob in sorted(blobs, key=lambda blob: str(blob.name))}


def _listed(blob: BlobProperties) -> Listed:
    md5 = blob.content_settings.content_md5
    return Listed(int(blob.size), f'"{str(blob.etag).strip(chr(34))}"', bytes(md5) if md5 else None)
