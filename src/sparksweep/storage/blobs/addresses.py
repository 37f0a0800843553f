"""Addresses of folders in blob containers, in the three forms people have them."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from sparksweep.errors import UsageError
from sparksweep.redaction import redact_text, refuse_signature
from sparksweep.storage.blobs.sas import Sas

__all__ = ["BlobAddress", "parse_address"]

FORMS = (
    "wasbs://CONTAINER@ACCOUNT.blob.core.windows.net/FOLDER, abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/FOLDER "
    "or https://ACCOUNT.blob.core.windows.net/CONTAINER/FOLDER"
)
HADOOP = {"wasb", "wasbs", "abfs", "abfss"}
CONTAINER = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*$|\$root$|\$web$|\$logs$")
# acme.blob.core.windows.net, acme.dfs.core.chinacloudapi.cn, acme.z12.blob.storage.azure.net
STORAGE_HOST = re.compile(r"(?P<account>[a-z0-9-]+)(\.z\d+)?\.(blob|dfs)\.(?P<cloud>.+)", re.IGNORECASE)


@dataclass(frozen=True)
class BlobAddress:
    """A folder in a container, or the whole container.

    Attributes
    ----------
    text : str
        As its user wrote it, without SAS and closing slash.
    scheme : str
        ``wasb``, ``wasbs``, ``abfs``, ``abfss``, ``http`` or ``https``.
    endpoint : str
        Where the account's blobs are served, ``https://ACCOUNT.blob.core.windows.net``.
    account : str
        Name of the storage account.
    host : str
        As the address has it; Hadoop's configuration knows the account by this name.
    container : str
        The container, which abfs calls file system.
    folder : str
        What the names of its blobs begin with, without a closing slash; "" for the whole container.
    sas : Sas, optional
        That the address came with.
    """

    text: str
    scheme: str
    endpoint: str
    account: str
    host: str
    container: str
    folder: str
    sas: Sas | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return self.text

    @property
    def of_hadoop(self) -> bool:
        """Whether the cluster's Hadoop knows such addresses, and perhaps the account's key."""
        return self.scheme in HADOOP

    def blob(self, name: str) -> str:
        """Return the full name in the container of a file of the folder."""
        return f"{self.folder}/{name}" if self.folder else name


def parse_address(uri: str) -> BlobAddress:
    """Read the address of a folder in a container.

    Parameters
    ----------
    uri : str
        ``wasb[s]://CONTAINER@HOST[/FOLDER]``, ``abfs[s]://CONTAINER@HOST[/FOLDER]`` or
        ``https://HOST/CONTAINER[/FOLDER][?SAS]``; also an emulator's ``http://127.0.0.1:PORT/ACCOUNT/CONTAINER``.

    Raises
    ------
    UsageError
        It has none of these forms, ``.`` or ``..`` for a folder, or wasb or abfs with a SAS.
    """
    try:
        parts = urlsplit(uri)
        parts.port  # noqa: B018 - raises for what is no number
    except ValueError as error:
        raise UsageError(f"{redact_text(uri)}: not an address ({error}); give {FORMS}") from None
    if not parts.scheme:
        raise UsageError(f"{redact_text(uri)}: not an address; give {FORMS}")
    address = _of_hadoop(uri, parts) if parts.scheme.lower() in HADOOP else _of_web(parts)
    if not CONTAINER.match(address.container):
        raise UsageError(
            f"{address}: {address.container!r} cannot be a container (3 to 63 small letters, digits and single "
            f"hyphens); give {FORMS}"
        )
    _refuse_steps(address)
    return address


def _refuse_steps(address: BlobAddress) -> None:
    """Refuse what a URL's reader takes for a step up or none, and so for another folder, container or account."""
    for name in (address.account, *address.folder.split("/")):
        if name in (".", ".."):
            raise UsageError(f"{address}: a folder called {name!r} would lead elsewhere; leave it out")


def _of_hadoop(uri: str, parts: SplitResult) -> BlobAddress:
    """Read wasb and abfs; in these Hadoop takes ``%``, ``?`` and ``#`` for parts of a name."""
    scheme, host = parts.scheme.lower(), _host(parts)
    storage = STORAGE_HOST.fullmatch(parts.hostname or "")
    if storage is None or not parts.username:
        raise UsageError(f"{redact_text(uri)}: names no container and account; give {FORMS}")
    refuse_signature(uri)
    path = uri.partition("://")[2].partition("/")[2].strip("/")
    text = f"{scheme}://{parts.username}@{host}" + (f"/{path}" if path else "")
    plain = scheme in ("wasb", "abfs")
    return BlobAddress(text, scheme, _endpoint(plain, parts), storage["account"], host, parts.username, _plain(path))


def _of_web(parts: SplitResult) -> BlobAddress:
    scheme, host = parts.scheme.lower(), _host(parts)
    shown = f"{scheme}://{host}{parts.path.rstrip('/')}"
    storage = STORAGE_HOST.fullmatch(parts.hostname or "")
    names = [unquote(name) for name in parts.path.split("/") if name]
    if storage is not None:
        account, endpoint = storage["account"], _endpoint(scheme == "http", parts)
    elif _is_emulator(parts) and names:
        account, endpoint = names[0], f"{scheme}://{host}/{names.pop(0)}"
    else:
        raise UsageError(f"{shown}: not an address of Azure's blobs; give {FORMS}")
    if not names:
        raise UsageError(f"{shown}: names no container; give {FORMS}")
    if parts.username or parts.fragment:
        raise UsageError(f"{shown}: holds more than host, container and folder; give {FORMS}")
    sas = Sas(parts.query) if parts.query else None
    return BlobAddress(shown, scheme, endpoint, account, host, names[0], "/".join(names[1:]), sas)


def _host(parts: SplitResult) -> str:
    name = (parts.hostname or "").lower()
    name = f"[{name}]" if ":" in name else name
    return f"{name}:{parts.port}" if parts.port else name


def _endpoint(plain: bool, parts: SplitResult) -> str:
    """Return where the account's blobs are, also for an address that names its Data Lake side.

    Only a test server, which has a port, is spoken to in plain http: the SAS of a task is as good as a key to whoever
    reads along.
    """
    return f"{'http' if plain and parts.port else 'https'}://{_host(parts).replace('.dfs.', '.blob.', 1)}"


def _is_emulator(parts: SplitResult) -> bool:
    """Tell whether the account is the first part of the path, as where there is no host of its own."""
    host = parts.hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or parts.port is not None
    return True


def _plain(path: str) -> str:
    return "/".join(name for name in path.split("/") if name)
