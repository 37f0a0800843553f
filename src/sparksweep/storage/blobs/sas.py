"""A shared access signature (SAS): leave to use one container, as the query part of an address."""

from __future__ import annotations

from datetime import datetime, timezone
from urllib.parse import parse_qs

from sparksweep.redaction import HIDDEN

__all__ = ["Sas"]


class Sas:
    """A SAS that no message, log or traceback shows by accident.

    Parameters
    ----------
    token : str
        ``sv=...&sig=...``, with or without the question mark.
    """

    def __init__(self, token: str) -> None:
        self._token = token.strip().lstrip("?")

    def reveal(self) -> str:
        """Return the token, for a request."""
        return self._token

    @property
    def begins(self) -> datetime | None:
        """When it begins, to the second; None when it does not say so in a form that is known."""
        return self._moment("st")

    @property
    def expires(self) -> datetime | None:
        """When it ends, as `begins`."""
        return self._moment("se")

    def _moment(self, name: str) -> datetime | None:
        text = parse_qs(self._token).get(name, [""])[0]
        try:
            return datetime.fromisoformat(text.rstrip("Z").partition(".")[0]).replace(tzinfo=timezone.utc)
        except ValueError:
            return None

    def __repr__(self) -> str:
        return f"Sas({HIDDEN})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sas) and self._token == other._token

    def __hash__(self) -> int:
        return hash(self._token)
