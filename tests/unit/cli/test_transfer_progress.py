"""What is seen of a transfer: lines for a log, a display on a terminal."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from sparksweep.cli.transfer_progress import transfer_progress
from sparksweep.storage.transfers import TransferProgress


@pytest.mark.parametrize(
    ("now", "shown"),
    [
        (TransferProgress(0, 200_000_000, 0, 0.0), "0.0 of 200.0 MB"),
        (TransferProgress(150_000_000, 200_000_000, 100_000_000, 8.0), "150.0 of 200.0 MB, 12.5 MB/s, 4 s to go"),
        (TransferProgress(200_000_000, 200_000_000, 150_000_000, 12.0), "200.0 of 200.0 MB, 12.5 MB/s"),
    ],
)
def test_pace_and_time_to_go_are_of_what_this_call_sends(now, shown):
    assert str(now) == shown


def test_a_log_gets_the_last_line(capsys):
    with transfer_progress("upload", Console(file=io.StringIO())) as on_progress:
        on_progress(TransferProgress(1_000_000, 2_000_000, 1_000_000, 1.0))
        on_progress(TransferProgress(2_000_000, 2_000_000, 2_000_000, 2.0))
    assert capsys.readouterr().out == "upload: 2.0 of 2.0 MB, 1.0 MB/s\n"


def test_a_terminal_gets_a_display():
    screen = io.StringIO()
    with transfer_progress("upload", Console(file=screen, force_terminal=True, width=100)) as on_progress:
        on_progress(TransferProgress(1_000_000, 2_000_000, 1_000_000, 1.0))
    assert "1.0/2.0 MB" in screen.getvalue()
    assert "1.0 MB/s, 1 s to go" in screen.getvalue()
