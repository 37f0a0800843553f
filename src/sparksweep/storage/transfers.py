"""How far a transfer of files is, as those who wait are told."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["TransferProgress"]


@dataclass(frozen=True)
class TransferProgress:
    """How far a transfer is.

    Attributes
    ----------
    done, total : int
        Bytes that are there, and that will be.
    moved : int
        Bytes that this call has sent or fetched.
    seconds : float
        Since it began.
    """

    done: int
    total: int
    moved: int
    seconds: float

    def notes(self) -> list[str]:
        """Return pace and, before the end, time to go."""
        pace = self.moved / self.seconds if self.seconds > 0 else 0.0
        if not pace:
            return []
        rest = self.total - self.done
        return [f"{pace / 1e6:.1f} MB/s", *([f"{rest / pace:.0f} s to go"] if rest else [])]

    def __str__(self) -> str:
        return ", ".join([f"{self.done / 1e6:.1f} of {self.total / 1e6:.1f} MB", *self.notes()])
