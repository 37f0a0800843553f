"""What documents show of a command's output, compared with what the command says."""

from __future__ import annotations

import re

__all__ = ["assert_shown"]


def assert_shown(shown, said):
    """Check that a command said what is shown, where a line ``...`` stands for any lines."""
    lines = ["(?:.*\n)*" if line == "..." else re.escape(line) + "\n" for line in _same(shown)]
    found = "".join(f"{line}\n" for line in _same(said))
    assert re.fullmatch("".join(lines), found), found


def _same(text):
    """Return the lines of a text without what differs from run to run, and from machine to machine."""
    text = re.sub(r"\d{8}T\d{6}Z-[0-9a-f]{8}", "RUN", text)
    return [re.sub(r"\d\.\d{4,}", lambda found: f"{float(found[0]):.2f}", line).rstrip() for line in text.splitlines()]
