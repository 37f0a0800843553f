"""Azurite, Microsoft's own stand-in for Azure Blob Storage, as a process on a free port of the loopback address."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from azure.storage.blob import BlobServiceClient
from tests.cluster.installing import azurite_program

START_LIMIT = 60.0  # seconds; it takes one
# Azurite's one account; its key is printed in its manual.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
OPTIONS = ("--blobHost", "127.0.0.1", "--blobPort", "0", "--inMemoryPersistence", "--disableTelemetry")


@dataclass(frozen=True)
class Azurite:
    """A running Azurite.

    Attributes
    ----------
    url : str
        ``http://127.0.0.1:PORT``.
    account, key : str
        Its one account.
    """

    url: str
    account: str = ACCOUNT
    key: str = KEY

    @property
    def endpoint(self) -> str:
        """The account's address; a production account's would be ``https://ACCOUNT.blob.core.windows.net``."""
        return f"{self.url}/{self.account}"

    @property
    def port(self) -> int:
        """The port it listens on."""
        return urlsplit(self.url).port or 0

    def connection_string(self, url: str | None = None) -> str:
        """Return what a client is given to find it, directly or behind the proxy at `url`."""
        endpoint = f"{url or self.url}/{self.account}"
        return (
            f"DefaultEndpointsProtocol=http;AccountName={self.account};AccountKey={self.key};BlobEndpoint={endpoint};"
        )

    def client(self) -> BlobServiceClient:
        """Return a client of the account."""
        return BlobServiceClient.from_connection_string(self.connection_string())


@contextmanager
def running_azurite(log: Path, *options: str) -> Iterator[Azurite]:
    """Start it with nothing in it, with further options; `log` takes what it says."""
    # The newest client speaks a newer version of the service than Azurite lists; what we use is the same in both.
    command = ["node", str(azurite_program()), *OPTIONS, "--skipApiVersionCheck", *options]
    with log.open("w") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
    try:
        yield Azurite(_address(process, log))
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    end = time.monotonic() + START_LIMIT
    while time.monotonic() < end and process.poll() is None:
        found = re.search(r"successfully listens on (https?://\S+)", log.read_text(errors="replace"))
        if found:
            return found.group(1)
        time.sleep(0.05)
    raise RuntimeError(f"Azurite did not start:\n{log.read_text(errors='replace')[-2000:]}")
