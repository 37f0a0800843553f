"""How requests are tried again: azure-core's own policy, set to what a busy or failing service asks for.

The policy that azure-storage-blob brings passes over Retry-After and never tries again after 429.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import RetryPolicy

__all__ = ["LONGEST_WAIT", "PatientRetry", "http_date", "seconds_to_wait"]

TRIES = 8  # of one request
FIRST_WAIT = 0.5  # seconds before the second try
LONGEST_WAIT = 60.0  # seconds between two tries
# What the storage client's other policies leave in a request's options for its own kind of retry policy.
OF_STORAGE_CLIENT = ("hosts", "location_mode", "retry_to_secondary", "retry_hook")
# The one POST that we send asks for a key to sign with, of which there may be any number.
METHODS = ("HEAD", "GET", "PUT", "DELETE", "POST")
# Headers that say when to come back, and their parts of a second; the last two are Azure's own.
SAID_IN = (("Retry-After", 1), ("retry-after-ms", 1000), ("x-ms-retry-after-ms", 1000))
PRIMARY = "primary"  # of the two locations of an account that is copied to another region; the other is not asked


class PatientRetry(RetryPolicy[Any, Any]):
    """Tries again after lost connections, 408, 429, 500, 502, 503 and 504, as late as Retry-After says.

    Without Retry-After the waits double from half a second, each shortened at random by up to a half, so that many
    tasks do not come back at once. One that is told to come back later than `LONGEST_WAIT` gives up.
    """

    def __init__(self) -> None:
        super().__init__(
            retry_total=TRIES,
            retry_connect=TRIES // 2,
            retry_read=TRIES // 2,
            retry_status=TRIES,
            retry_backoff_factor=FIRST_WAIT,
            retry_backoff_max=int(LONGEST_WAIT),
        )

    def configure_retries(self, options: dict[str, Any]) -> dict[str, Any]:
        """Return the settings of one request, with nothing left in its options that the transport does not know."""
        for name in OF_STORAGE_CLIENT:
            options.pop(name, None)
        options.setdefault("retry_on_methods", METHODS)
        return super().configure_retries(options)

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Send a request, again where that may help, and leave in the answer what the storage client looks for."""
        response = super().send(request)
        response.http_response.location_mode = PRIMARY
        return response

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse[Any, Any]) -> bool:
        """Tell whether an answer is worth another try: a busy service's is, a refusal is not."""
        if response.http_response.status_code not in self._retry_on_status_codes:
            return False
        return (self.get_retry_after(response) or 0) <= LONGEST_WAIT

    def get_retry_after(self, response: PipelineResponse[Any, Any]) -> float | None:
        """Return the seconds that the service says, None where it says nothing that is a time."""
        return seconds_to_wait(response.http_response.headers)

    def get_backoff_time(self, settings: dict[str, Any]) -> float:
        """Return the seconds to wait where the service does not say."""
        tries = len(settings["history"])
        longest = min(settings["max_backoff"], settings["backoff"] * 2.0 ** (tries - 1)) if tries else 0
        return float(longest) * random.uniform(0.5, 1)


def seconds_to_wait(headers: Mapping[str, str]) -> float | None:
    """Return the seconds after which an answer says to come back, None where it says nothing that is a time.

    azure-core takes a date by this machine's clock; here it is taken by the answer's own date.
    """
    until = http_date(headers.get("Retry-After"))
    if until is not None:
        return max(0.0, (until - (http_date(headers.get("Date")) or datetime.now(timezone.utc))).total_seconds())
    for name, parts in SAID_IN:
        with suppress(ValueError):
            if math.isfinite(seconds := float(headers.get(name, "")) / parts):
                return max(0.0, seconds)
    return None


def http_date(text: str | None) -> datetime | None:
    """Return the moment that a header says, None where it is none."""
    try:
        moment = parsedate_to_datetime(text or "")
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
