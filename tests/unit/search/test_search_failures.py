"""What is told of a fit's error in a line."""

from __future__ import annotations

import pytest

from sparksweep.search.failures import reason_line

XGBOOST = """Traceback (most recent call last):
  File "x.py", line 7, in fit
    raise XGBoostError(py_str(_LIB.XGBGetLastError()))
xgboost.core.XGBoostError: [21:10:00] /workspace/src/objective/objective.cc:24: Unknown objective function: `foo:bar`
Objective candidate: reg:squarederror
Stack trace:
  [bt] (0) libxgboost.so(+0x22dcbc) [0x7f4]
  [bt] (8) /lib/x86_64-linux-gnu/libffi.so.8(ffi_call+0xcd) [0x7f4135e39b0d]

"""


@pytest.mark.parametrize(
    ("fit_error", "reason"),
    [
        (None, ""),
        ("\n", ""),
        ("killed by signal 9 (SIGKILL)", "killed by signal 9 (SIGKILL)"),
        ("Traceback (most recent call last):\n  File x\nValueError: no\n", "ValueError: no"),
        ("ValueError: two lines\nof words", "of words"),
        (XGBOOST, XGBOOST.splitlines()[3]),
        ("  File x, line 1 in fit\n  File y", "File y"),
    ],
)
def test_the_line_that_says_what_went_wrong(fit_error, reason):
    assert reason_line(fit_error) == reason
