"""What the service and the network say, as our errors: one line with what, where, why and what to do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from sparksweep.errors import ExpiredAccess, StorageError
from sparksweep.redaction import redact_text
from sparksweep.storage.blobs.retrying import LONGEST_WAIT, http_date, seconds_to_wait
from sparksweep.storage.blobs.sas import Sas

__all__ = ["NETWORK", "SIGN", "Answer", "azure_failures", "refusal"]

SIGN = "get leave to read for tasks from"
NETWORK = "check the host's name, the network and HTTPS_PROXY"
MOST_SKEW = timedelta(minutes=5)
# By the service's error code: why, and what to do.
REASONS: Mapping[str, str] = {
    "ContainerNotFound": "there is no such container; check the address",
    "ContainerBeingDeleted": "the container is being deleted; wait, or choose another",
    "ResourceNotFound": "there is no such container or blob; check the address",
    "BlobNotFound": "there is no such blob any more; run it again",
    "ConditionNotMet": "the blob was replaced or deleted while it was read; run it again",
    "LeaseIdMissing": "another program holds a lease on the blob; have it released, or choose another folder",
    "BlobArchived": "it is in the archive tier; move it to Hot or Cool and wait until it is there, or choose another "
    "folder",
    "BlobBeingRehydrated": "it is on its way out of the archive tier; wait until it is there, for hours, or choose "
    "another folder",
    "InvalidBlobType": "it is no block blob, but one to append to or of pages; delete it, or choose another folder",
    "InvalidBlobOrBlock": "blocks of another tool's upload that broke off are in the way for a week; end that upload, "
    "or choose another folder",
    "InvalidRange": "the blob was replaced while it was read; run it again",
    "AuthorizationResourceTypeMismatch": "the SAS is for another kind of thing; make one for the container",
    "AuthorizationServiceMismatch": "the SAS is for another service; make one for blobs",
    "AuthorizationSourceIPMismatch": "the SAS is for other machines' addresses; make one without an IP range",
    "AuthorizationProtocolMismatch": "the SAS is for https only; give the address as https",
    "AccountIsDisabled": "the storage account is disabled",
    "PublicAccessNotPermitted": "it needs a login, and the request had none",
    "KeyBasedAuthenticationNotPermitted": "the account takes no keys; log in with a service principal or az login",
    "UnsupportedHeader": "the service is older than this program",
}


NO_RIGHT = "AuthorizationPermissionMismatch"
TO_READ = "the login lacks the right to read and list; give it Storage Blob Data Reader, or a SAS with r and l"
TO_SIGN = "the login lacks the right to sign a SAS; give it Storage Blob Delegator on the whole account"
TO_WRITE = "the login lacks the right to write; give it Storage Blob Data Contributor, or a SAS with r, c and w"
RIGHTS = {"write": TO_WRITE, SIGN: TO_SIGN}


class Answer(NamedTuple):
    """What is looked at in an answer that is no success.

    Attributes
    ----------
    status : int
        Of HTTP.
    code : str
        The service's word for what is wrong, "" without one.
    date : str
        The service's own time, "" without one.
    wait : float
        Seconds after which it says to come back.
    """

    status: int
    code: str
    date: str
    wait: float = 0.0

    @classmethod
    def of(cls, status: int, headers: Mapping[str, str]) -> Answer:
        """Return what the headers say."""
        code, date = headers.get("x-ms-error-code") or "", headers.get("Date") or ""
        return cls(status, code, date, seconds_to_wait(headers) or 0.0)


def refusal(action: str, where: str, answer: Answer, how: str = "", sas: Sas | None = None) -> StorageError:
    """Return the error for an answer that is no success.

    Parameters
    ----------
    action : str
        What was tried, as in "cannot <action> <where>".
    where : str
        As shown to people.
    answer : Answer
        The service's.
    how : str
        How the request was logged in.
    sas : Sas, optional
        That it was sent with.
    """
    what = f"cannot {action} {where}:"
    said = f"{answer.status} {answer.code}".rstrip()
    if answer.status in (401, 403):
        now = http_date(answer.date)
        if sas is not None and sas.expires is not None and (now or datetime.now(timezone.utc)) >= sas.expires:
            return _ended(what, sas.expires, now)
        # A SAS that has begun is as good by any clock of this machine's.
        signed_late = sas is None or (now is not None and sas.begins is not None and now < sas.begins)
        if signed_late and (skew := _skew(now)):
            return StorageError(f"{what} the service refuses the login ({said}), and {skew}; set the clock right")
    if answer.code == NO_RIGHT:
        return StorageError(f"{what} {RIGHTS.get(action, TO_READ)} ({said})")
    if answer.code in REASONS:
        return StorageError(f"{what} {REASONS[answer.code]} ({said})")
    if answer.status in (401, 403):
        login = f"by {how}" if how else "as it is"
        return StorageError(f"{what} the service refuses the login {login} ({said}); check key, SAS or role")
    if answer.status == 404:
        return StorageError(f"{what} it is not there ({said}); check the address")
    if answer.status == 412 and not answer.code:
        return StorageError(f"{what} {REASONS['ConditionNotMet']} ({said})")
    if answer.status == 429 or answer.status >= 500:
        return StorageError(f"{what} the service is busy or failing ({said}), {_when(answer.wait)}")
    return StorageError(f"{what} the service answers {said}")


def _when(wait: float) -> str:
    """Return when to try it again; what says to come back too late is not asked again here."""
    if wait > LONGEST_WAIT:
        return f"and says to come back in {math.ceil(wait / 60)} minutes; try it then"
    return "also when asked again; try it later"


def _ended(what: str, end: datetime, now: datetime | None) -> ExpiredAccess:
    """Return the error for a SAS that has ended by the service's clock; by this machine's it may not have."""
    clock = _skew(now) if end > datetime.now(timezone.utc) else ""
    told, advice = (f", and {clock}", "set the clock right, or ") if clock else ("", "")
    return ExpiredAccess(
        f"{what} its SAS ended at {end:%Y-%m-%d %H:%M:%S} UTC{told}; {advice}give one that lasts longer"
    )


@contextmanager
def azure_failures(action: str, where: str, how: str = "", sas: Sas | None = None) -> Iterator[None]:
    """Turn an error of the Azure libraries in the block into a `StorageError`; parameters are those of `refusal`.

    The cause is left out: its text may hold the address with its SAS.
    """
    try:
        yield
    except AzureError as error:
        answer = _answer(error)
        failure = _told(action, where, error) if answer is None else refusal(action, where, answer, how, sas)
        raise failure from None


def _answer(error: AzureError) -> Answer | None:
    response: Any = error.response if isinstance(error, HttpResponseError) else None
    return None if response is None else Answer.of(response.status_code, response.headers)


def _told(action: str, where: str, error: AzureError) -> StorageError:
    if isinstance(error, ServiceRequestError):
        return StorageError(f"cannot {action} {where}: the host cannot be reached ({_reason(error)}); {NETWORK}")
    if isinstance(error, ServiceResponseError):
        return StorageError(f"cannot {action} {where}: the connection is lost again and again; {NETWORK}")
    if isinstance(error, ClientAuthenticationError):
        return StorageError(f"cannot {action} {where}: the login failed: {_first_line(error)}")
    return StorageError(f"cannot {action} {where}: {_first_line(error)}")


def _reason(error: AzureError) -> str:
    """Return the last of nested texts, as of ``HTTPSConnectionPool(...): ... [Errno -2] Name or service not known``."""
    return _first_line(error).split("] ")[-1].rsplit(": ", 1)[-1].strip("()'\" ") or type(error).__name__


def _first_line(error: AzureError) -> str:
    lines = redact_text(str(error.message or error)).splitlines()
    return lines[0].strip() if lines else type(error).__name__


def _skew(service: datetime | None) -> str:
    """Return how far this machine's clock is off, "" when it is not."""
    if service is None:
        return ""
    ahead = datetime.now(timezone.utc) - service
    minutes = abs(ahead) // timedelta(minutes=1)
    if abs(ahead) < MOST_SKEW:
        return ""
    return f"this machine's clock is {minutes} minutes {'ahead of' if ahead > timedelta(0) else 'behind'} the service's"
