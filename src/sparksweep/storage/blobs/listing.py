"""What lies in a folder of a container."""

from __future__ import annotations

from typing import NamedTuple

from azure.storage.blob import BlobProperties

from sparksweep.storage.blobs.addresses import BlobAddress
from sparksweep.storage.blobs.failures import azure_failures
from sparksweep.storage.blobs.logins import Login

__all__ = ["Listed", "list_blobs"]


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


def list_blobs(login: Login, address: BlobAddress) -> dict[str, Listed]:
    """Return the blobs directly in a folder by sorted name; nothing when there is no folder.

    Raises
    ------
    StorageError
        It cannot be listed, or there is no such container.
    """
    start = f"{address.folder}/" if address.folder else ""
    with login.container(address.container) as client, azure_failures("list", str(address), login.how, login.sas):
        found = client.walk_blobs(name_starts_with=start, delimiter="/")
        # Folders have no properties; what Hadoop leaves for one is an empty blob of the folder's name.
        blobs = [blob for blob in found if isinstance(blob, BlobProperties) and blob.name != start]
    return {blob.name[len(start) :]: _listed(blob) for blob in sorted(blobs, key=lambda blob: str(blob.name))}


def _listed(blob: BlobProperties) -> Listed:
    md5 = blob.content_settings.content_md5
    return Listed(int(blob.size), f'"{str(blob.etag).strip(chr(34))}"', bytes(md5) if md5 else None)
