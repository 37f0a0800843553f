"""Compare a search on Spark with scikit-learn's."""

from __future__ import annotations

import re

OWN_PARAMS = {"ledger", "fit_timeout", "fit_memory", "isolate", "share_work"}


def comparable(message):
    """Leave out of a traceback what says where the code stands: scikit-learn's search is another file than ours."""
    message = re.sub(r"(?m)^  File .*\n(?:    .*\n)*", "", message)
    return re.sub(r"(?m)^ +[\^~]+\n", "", message)


def assert_same_results(ours, theirs):
    assert list(ours) == list(theirs)
    for key, other in theirs.items():
        mine = ours[key]
        assert type(mine) is type(other), key
        if key == "params":
            assert repr(mine) == repr(other)
        elif key.startswith("param_"):
            assert mine.dtype == other.dtype, key
            assert repr(mine) == repr(other), key
        else:
            assert (mine.dtype, mine.shape) == (other.dtype, other.shape), key
            assert key.endswith("_time") or mine.tobytes() == other.tobytes(), key
