"""Files and folders by URI: a local folder, or any file system Spark's Java side can reach.

``store`` is the interface, ``local`` and ``hadoop`` the two kinds, ``opening`` picks one, ``scratch`` is
for files on the way, ``failures`` turns the system's errors into ours.
"""

from sparksweep.redaction import redact_settings, redact_text
from sparksweep.storage.local import LocalStore
from sparksweep.storage.opening import local_path, open_store
from sparksweep.storage.store import Log, Store

__all__ = ["LocalStore", "Log", "Store", "local_path", "open_store", "redact_settings", "redact_text"]
