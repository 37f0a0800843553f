"""The ledger: an append-only, durable store of fit records that only drivers write.

``ledger/`` holds ``segments/``, files of JSON lines that are never changed once closed, and ``leases/``. ``records`` is
one line, ``segments`` one file, ``merging`` what counts of all of them, ``writing`` adds to them, ``leases`` and
``owners`` keep a second driver off, ``pruning`` makes many segments one, ``opening`` is where to begin.
"""

from sparksweep.search.ledger.leases import MAKING, Holder, Lease
from sparksweep.search.ledger.merging import LedgerContents
from sparksweep.search.ledger.opening import Ledger, open_ledger
from sparksweep.search.ledger.pruning import PruneSummary
from sparksweep.search.ledger.writing import LedgerWriter

__all__ = ["MAKING", "Holder", "Lease", "Ledger", "LedgerContents", "LedgerWriter", "PruneSummary", "open_ledger"]
