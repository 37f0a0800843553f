"""How the driver logs in to a storage account, and what it hands to tasks. Long-lived secrets stay in here.

Looked for in this order:

1. a SAS in the address;
2. ``AZURE_STORAGE_CONNECTION_STRING``, ``AZURE_STORAGE_KEY``, ``AZURE_STORAGE_SAS_TOKEN``, the names of the Azure CLI,
   in the environment or in the file that ``SPARKSWEEP_SECRETS_FILE`` names (mode 600); where ``AZURE_STORAGE_ACCOUNT``
   or the connection string names another account they are passed over;
3. for wasb and abfs the account's key in the cluster's Hadoop configuration;
4. a service principal: ``AZURE_TENANT_ID``, ``AZURE_CLIENT_ID`` and ``AZURE_CLIENT_SECRET`` or
   ``AZURE_CLIENT_CERTIFICATE_PATH``, in the same places, of the cloud that ``AZURE_AUTHORITY_HOST`` names;
5. the Azure CLI's login (``az login``).

Managed identity is refused: HDInsight's nodes give no tokens for it. A SAS of the variables and a token, of which the
host gets enough to use it, are sent to Azure's own hosts, this machine, and the host of the connection string only.
"""

from __future__ import annotations

import base64
import ipaddress
import shutil
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Set
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import Any, Protocol
from urllib.parse import urlsplit

from azure.core.credentials import AzureNamedKeyCredential, AzureSasCredential, TokenCredential
from azure.storage.blob import (
    BlobServiceClient,
    ContainerClient,
    ContainerSasPermissions,
    UserDelegationKey,
    generate_container_sas,
)

from sparksweep.errors import UsageError
from sparksweep.storage.blobs.addresses import BlobAddress
from sparksweep.storage.blobs.failures import SIGN, azure_failures
from sparksweep.storage.blobs.retrying import PatientRetry
from sparksweep.storage.blobs.sas import Sas

__all__ = ["HadoopKeys", "Login", "log_in"]

CONNECTION_STRING, KEY, SAS_TOKEN = (
    "AZURE_STORAGE_CONNECTION_STRING",
    "AZURE_STORAGE_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
)
ACCOUNT = "AZURE_STORAGE_ACCOUNT"
TENANT, CLIENT, CLIENT_SECRET = "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"
CERTIFICATE, CERTIFICATE_PASSWORD = "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PASSWORD"
AUTHORITY = "AZURE_AUTHORITY_HOST"
WANTED_KIND = "AZURE_TOKEN_CREDENTIALS"  # azure-identity's own variable
ACCESS_LASTS = timedelta(hours=1)
CLOCKS_DIFFER = timedelta(minutes=15)
KEY_LASTS = timedelta(hours=4)  # that a principal is given to sign with; it stays in the driver
# Of Azure's clouds, and of accounts in zones.
STORAGE_SUFFIXES = (".core.windows.net", ".core.chinacloudapi.cn", ".core.usgovcloudapi.net", ".storage.azure.net")
CONNECT_SECONDS, READ_SECONDS = 10, 20


class HadoopKeys(Protocol):
    """What only a driver's JVM knows."""

    def __call__(self, address: BlobAddress) -> str | None:
        """Return the account's key as the cluster's Hadoop configuration has it, None where it has none."""


class Login(ABC):
    """A way into one storage account.

    Parameters
    ----------
    address : BlobAddress
        Of a folder there.
    how : str
        What it is, for messages; no secret.
    endpoint : str, optional
        Where the account is served, if not where the address says.
    """

    def __init__(self, address: BlobAddress, how: str, endpoint: str = "") -> None:
        self.account = address.account
        self.endpoint = (endpoint or address.endpoint).rstrip("/")
        self.how = how
        self.sas: Sas | None = None

    def container(self, name: str) -> ContainerClient:
        """Return a client of a container, for as long as the login lasts; the caller closes it."""
        return ContainerClient(self.endpoint, name, credential=self._credential(), **_client_settings())

    @abstractmethod
    def read_access(self, container: str) -> Sas:
        """Return leave to read one container's blobs, for at most an hour; the user's own SAS as it is.

        Raises
        ------
        StorageError
            The service does not give it.
        """

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.account!r}, {self.how!r})"

    def __reduce__(self) -> Any:
        raise TypeError("a login stays in the driver; hand out read_access()")

    @abstractmethod
    def _credential(self) -> Any:
        """Return it as the storage client takes it."""


class _SigningLogin(Login):
    """One with which a SAS for others can be signed."""

    def read_access(self, container: str) -> Sas:
        """Return a new one."""
        now = datetime.now(timezone.utc)
        begin, end = now - CLOCKS_DIFFER, now + ACCESS_LASTS
        return Sas(
            generate_container_sas(
                self.account,
                container,
                permission=ContainerSasPermissions(read=True),
                start=begin,
                expiry=end,
                protocol="https" if self.endpoint.startswith("https:") else None,
                **self._signing(begin, end),
            )
        )

    @abstractmethod
    def _signing(self, begin: datetime, end: datetime) -> dict[str, Any]:
        """Return what a SAS is signed with, as arguments of `generate_container_sas`."""


class _KeyLogin(_SigningLogin):
    def __init__(self, address: BlobAddress, key: str, how: str, endpoint: str = "") -> None:
        super().__init__(address, how, endpoint)
        try:
            base64.b64decode(key, validate=True)
        except ValueError:
            raise UsageError(f"{how}: is no account key, which is base64; copy it whole") from None
        self._key = key

    def _credential(self) -> AzureNamedKeyCredential:
        return AzureNamedKeyCredential(self.account, self._key)

    def _signing(self, begin: datetime, end: datetime) -> dict[str, Any]:
        return {"account_key": self._key}


class _SasLogin(Login):
    def __init__(self, address: BlobAddress, sas: Sas, how: str, endpoint: str = "") -> None:
        super().__init__(address, how, endpoint)
        self.sas: Sas = sas

    def _credential(self) -> AzureSasCredential:
        return AzureSasCredential(self.sas.reveal())

    def read_access(self, container: str) -> Sas:
        """Return the user's own."""
        return self.sas


class _TokenLogin(_SigningLogin):
    def __init__(self, address: BlobAddress, token: TokenCredential, how: str) -> None:
        super().__init__(address, how)
        if self.endpoint.startswith("http:"):
            raise UsageError(
                f"{address}: a token of {how} is only sent by https; give the address as https (wasbs, abfss), or a "
                "key or a SAS"
            )
        self._token = token
        self._lock = threading.Lock()
        self._key: UserDelegationKey | None = None
        self._key_ends = datetime.min.replace(tzinfo=timezone.utc)

    def _credential(self) -> TokenCredential:
        return self._token

    def _signing(self, begin: datetime, end: datetime) -> dict[str, Any]:
        with self._lock:  # a table a thread asks
            if self._key is None or self._key_ends < end:
                self._key, self._key_ends = self._new_key(begin), begin + KEY_LASTS
            return {"user_delegation_key": self._key}

    def _new_key(self, begin: datetime) -> UserDelegationKey:
        service = BlobServiceClient(self.endpoint, credential=self._token, **_client_settings())
        with service, azure_failures(SIGN, self.endpoint, self.how):
            return service.get_user_delegation_key(begin, begin + KEY_LASTS)


def log_in(address: BlobAddress, secrets: Mapping[str, str], hadoop_key: HadoopKeys | None = None) -> Login:
    """Return the first way into an account, in the order of this module's docstring.

    Parameters
    ----------
    address : BlobAddress
        Where to.
    secrets : mapping of str to str
        Variables for Azure, from `read_secrets`.
    hadoop_key : callable, optional
        Looks the key up in Hadoop's configuration; called for wasb and abfs when nothing before it is given.

    Raises
    ------
    UsageError
        There is none, or what is given is malformed; a managed identity is asked for; or the host is no known one.
    """
    passed_over: list[str] = []
    for each in (
        _own_sas(address),
        _of_variables(address, secrets, passed_over),
        _of_hadoop(address, hadoop_key),
        _of_principal(address, secrets),
        _of_azure_cli(address, secrets),
    ):
        for login in each:
            return login
    told = "".join(f"{line}; " for line in passed_over)
    raise UsageError(
        f"{address}: {told}no way to log in to account {address.account}: set AZURE_STORAGE_KEY, _SAS_TOKEN or "
        "_CONNECTION_STRING, a service principal's variables or SPARKSWEEP_SECRETS_FILE, or run az login"
    )


def _own_sas(address: BlobAddress) -> Iterator[Login]:
    if address.sas is not None:
        yield _SasLogin(address, address.sas, "the SAS in the address")


def _of_variables(address: BlobAddress, secrets: Mapping[str, str], passed_over: list[str]) -> Iterator[Login]:
    if CONNECTION_STRING in secrets:
        parts = _parse_connection(secrets[CONNECTION_STRING])
        endpoint = parts.get("BlobEndpoint", "")
        account = parts.get("AccountName") or _account_of(endpoint) or address.account
        # A web address says itself where the account is served; Hadoop's names the account, wherever that is.
        elsewhere = endpoint.rstrip("/") not in ("", address.endpoint) and not address.of_hadoop
        if account != address.account:
            passed_over.append(f"{CONNECTION_STRING} is of account {account}")
        elif elsewhere:
            passed_over.append(f"{CONNECTION_STRING} is of {endpoint}")
        elif "AccountKey" in parts:
            yield _KeyLogin(address, parts["AccountKey"], CONNECTION_STRING, endpoint)
        else:
            if not endpoint:
                _check_host(address, secrets, CONNECTION_STRING)
            yield _SasLogin(address, Sas(parts["SharedAccessSignature"]), CONNECTION_STRING, endpoint)
    account = secrets.get(ACCOUNT, address.account)
    if account != address.account:
        passed_over.append(f"{ACCOUNT} is {account}")
        return
    if KEY in secrets:
        yield _KeyLogin(address, secrets[KEY], KEY)
    if SAS_TOKEN in secrets:
        _check_host(address, secrets, SAS_TOKEN)
        yield _SasLogin(address, Sas(secrets[SAS_TOKEN]), SAS_TOKEN)


def _parse_connection(text: str) -> dict[str, str]:
    parts = dict(part.strip().split("=", 1) for part in text.split(";") if "=" in part)
    if not {"AccountKey", "SharedAccessSignature"} & set(parts):
        raise UsageError(f"{CONNECTION_STRING}: holds neither AccountKey nor SharedAccessSignature; copy it whole")
    try:
        urlsplit(parts.get("BlobEndpoint", ""))
    except ValueError:
        raise UsageError(f"{CONNECTION_STRING}: its BlobEndpoint is no address; copy it whole") from None
    return parts


def _account_of(endpoint: str) -> str:
    """Return the account that an endpoint serves: its path, as an emulator's, or of its host."""
    parts = urlsplit(endpoint)
    return parts.path.strip("/") or (parts.hostname or "").partition(".")[0]


def _check_host(address: BlobAddress, secrets: Mapping[str, str], what: str) -> None:
    """Refuse to send to any host what lets it in elsewhere."""
    host = urlsplit(address.endpoint).hostname or ""
    own = _parse_connection(secrets[CONNECTION_STRING]).get("BlobEndpoint") if CONNECTION_STRING in secrets else None
    if not host.endswith(STORAGE_SUFFIXES) and not _is_this_machine(host) and host != urlsplit(own or "").hostname:
        raise UsageError(
            f"{address}: {host} is no host of Azure's storage, and {what} is not sent there; check the address, or "
            f"name the host as BlobEndpoint in {CONNECTION_STRING}"
        )


def _is_this_machine(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def _of_hadoop(address: BlobAddress, hadoop_key: HadoopKeys | None) -> Iterator[Login]:
    if address.of_hadoop and hadoop_key is not None:
        key = hadoop_key(address)
        if key:
            yield _KeyLogin(address, key, "the key in Hadoop's configuration")


def _of_principal(address: BlobAddress, secrets: Mapping[str, str]) -> Iterator[Login]:
    given = {name for name in (TENANT, CLIENT, CLIENT_SECRET, CERTIFICATE) if name in secrets}
    managed = secrets.get(WANTED_KIND, "").lower() == "managedidentitycredential"
    if managed or given == {CLIENT}:
        asked = f"{WANTED_KIND}={secrets[WANTED_KIND]}" if managed else f"{CLIENT} alone"
        raise UsageError(
            f"{asked} asks for a managed identity, for which HDInsight's nodes give no tokens; use a key, a SAS or a "
            f"service principal ({TENANT}, {CLIENT} and {CLIENT_SECRET})"
        )
    if not given & {CLIENT_SECRET, CERTIFICATE}:
        return
    missing = [name for name in (TENANT, CLIENT) if name not in given]
    if missing:
        raise UsageError(f"a service principal needs {' and '.join(missing)} too; set it in the same place")
    how = f"the service principal {secrets[CLIENT]}"
    _check_host(address, secrets, f"a token of {how}")
    yield _TokenLogin(address, _principal(secrets, given), how)


def _principal(secrets: Mapping[str, str], given: Set[str]) -> TokenCredential:
    from azure.identity import CertificateCredential, ClientSecretCredential

    who = (secrets[TENANT], secrets[CLIENT])
    # A cloud of one's own is not known to the public one, which would be asked about it.
    where: dict[str, Any] = (
        {"authority": secrets[AUTHORITY], "disable_instance_discovery": True} if AUTHORITY in secrets else {}
    )
    try:
        if CLIENT_SECRET in given:
            return ClientSecretCredential(*who, secrets[CLIENT_SECRET], **where)
        return CertificateCredential(*who, secrets[CERTIFICATE], password=secrets.get(CERTIFICATE_PASSWORD), **where)
    except OSError as error:
        raise UsageError(f"{CERTIFICATE}: cannot be read ({error.strerror}); check the path") from None
    except ValueError:
        # Its text may hold the value.
        names = [TENANT, *([AUTHORITY] if where else []), *([] if CLIENT_SECRET in given else [CERTIFICATE])]
        raise UsageError(
            f"{' or '.join(names)} is not what a service principal needs (a tenant's id or domain, an authority's "
            "https address, a certificate with its key); set it anew"
        ) from None


def _of_azure_cli(address: BlobAddress, secrets: Mapping[str, str]) -> Iterator[Login]:
    if shutil.which("az") is not None:
        _check_host(address, secrets, "a token of the Azure CLI's login")
        from azure.identity import AzureCliCredential

        yield _TokenLogin(address, AzureCliCredential(), "the Azure CLI's login")


def _client_settings() -> dict[str, Any]:
    return {
        "retry_policy": PatientRetry(),
        "connection_timeout": CONNECT_SECONDS,
        "read_timeout": READ_SECONDS,
    }
