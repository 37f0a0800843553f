"""Azure blobs by their REST interface: addresses, log-ins, listings, and streams of bytes that arrive whole.

No Spark in here, so that executors and tests do without a JVM; what only the driver's JVM knows is handed in. The Azure
libraries are imported when a blob is first touched. ``addresses`` reads URIs; ``secrets`` and ``logins`` say how the
driver logs in; ``sas`` is what it hands to tasks; ``folders`` finds files; ``ranges`` and ``streams`` read
them; ``failures`` turns what the service says into one line.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sparksweep.lazy_names import lazy_names

if TYPE_CHECKING:
    from sparksweep.storage.blobs.addresses import BlobAddress, parse_address
    from sparksweep.storage.blobs.folders import BlobFolder, open_blob_folder
    from sparksweep.storage.blobs.logins import HadoopKeys, Login, log_in
    from sparksweep.storage.blobs.sas import Sas
    from sparksweep.storage.blobs.secrets import read_secrets
    from sparksweep.storage.blobs.streams import BlobFile

__all__ = [
    "BlobAddress",
    "BlobFile",
    "BlobFolder",
    "HadoopKeys",
    "Login",
    "Sas",
    "log_in",
    "open_blob_folder",
    "parse_address",
    "read_secrets",
]

# They warn of what is mended here or is an error of ours in one line, urllib3 with the address and the SAS in it.
for _library in ("azure", "urllib3"):
    logging.getLogger(_library).setLevel(logging.ERROR)

__getattr__ = lazy_names(
    __name__,
    {
        "BlobAddress": ".addresses",
        "BlobFile": ".streams",
        "BlobFolder": ".folders",
        "HadoopKeys": ".logins",
        "Login": ".logins",
        "Sas": ".sas",
        "open_blob_folder": ".folders",
        "log_in": ".logins",
        "parse_address": ".addresses",
        "read_secrets": ".secrets",
    },
)
