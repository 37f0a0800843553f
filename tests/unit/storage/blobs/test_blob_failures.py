"""One line for whatever the service says, and when it is asked again."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from types import SimpleNamespace

import pytest
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError, ServiceResponseError

from sparksweep.errors import ExpiredAccess, StorageError
from sparksweep.storage.blobs import Sas
from sparksweep.storage.blobs.failures import SIGN, Answer, azure_failures, refusal
from sparksweep.storage.blobs.retrying import FIRST_WAIT, LONGEST_WAIT, PatientRetry

ENDED = Sas("se=2020-01-01T00%3A00%3A00Z&sig=x")


def at(**delta):
    return format_datetime(datetime.now(timezone.utc) + timedelta(**delta), usegmt=True)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(404, "ContainerNotFound", ""), "there is no such container; check the address (404 ContainerNotFound)"),
        (Answer(403, "AuthenticationFailed", ""), "the service refuses the login by AZURE_STORAGE_KEY (403 Auth"),
        (Answer(403, "AuthorizationPermissionMismatch", ""), "give it Storage Blob Data Reader"),
        (Answer(412, "", ""), "the blob was replaced or deleted while it was read; run it again (412)"),
        (Answer(412, "ConditionNotMet", ""), "the blob was replaced or deleted while it was read; run it again (412 C"),
        (Answer(412, "LeaseIdMissing", ""), "another program holds a lease on the blob; have it released"),
        (Answer(412, "LeaseLost", ""), "the service answers 412 LeaseLost"),
        (Answer(409, "BlobArchived", ""), "it is in the archive tier; move it to Hot or Cool and wait"),
        (Answer(409, "BlobBeingRehydrated", ""), "it is on its way out of the archive tier; wait"),
        (Answer(409, "InvalidBlobType", ""), "it is no block blob, but one to append to or of pages; delete it"),
        (Answer(400, "InvalidBlobOrBlock", ""), "blocks of another tool's upload that broke off are in the way"),
        (Answer(404, "", ""), "it is not there (404)"),
        (
            Answer(503, "ServerBusy", ""),
            "the service is busy or failing (503 ServerBusy), also when asked again; try it later",
        ),
        (
            Answer(503, "ServerBusy", "", wait=3600),
            "the service is busy or failing (503 ServerBusy), and says to come back in 60 minutes; try it then",
        ),
        (Answer(302, "", ""), "the service answers 302"),
    ],
)
def test_refusals(answer, told):
    # When these parameters are collected is minutes before the test.
    error = refusal("read", "wasbs://raw@acme/k", answer._replace(date=at()), "AZURE_STORAGE_KEY")
    assert type(error) is StorageError
    assert str(error).startswith("cannot read wasbs://raw@acme/k: ")
    assert told in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("delta", "told"),
    [
        ({"minutes": 20, "seconds": 30}, "this machine's clock is 20 minutes behind the service"),
        ({"hours": -2, "seconds": 30}, "this machine's clock is 119 minutes ahead of the service"),
    ],
)
def test_a_clock_that_is_off(delta, told):
    answer = Answer(403, "AuthenticationFailed", at(**delta))
    assert told in str(refusal("read", "wasbs://raw@acme/k", answer, "AZURE_STORAGE_KEY"))


@pytest.mark.parametrize(
    ("begins", "told"),
    [
        ("st=2020-01-01&", "refuses the login by the SAS"),
        ("", "refuses the login by the SAS"),
        ("st=2999-01-01&", "clock"),
    ],
)
def test_the_clock_only_counts_for_a_sas_that_has_not_begun(begins, told):
    sas = Sas(f"{begins}se=3000-01-01&sig=x")
    error = refusal("read", "x", Answer(403, "AuthenticationFailed", at(hours=-2)), "the SAS", sas)
    assert told in str(error)
    assert ("clock" in str(error)) is (told == "clock")


@pytest.mark.parametrize(
    ("action", "told"),
    [("write", "Storage Blob Data Contributor"), (SIGN, "Storage Blob Delegator on the whole account")],
)
def test_the_right_that_is_lacking(action, told):
    assert told in str(refusal(action, "x", Answer(403, "AuthorizationPermissionMismatch", at())))


def test_an_ended_sas_is_an_error_of_its_own():
    error = refusal("read", "x", Answer(403, "AuthenticationFailed", at()), sas=ENDED)
    assert isinstance(error, ExpiredAccess)
    assert str(error) == "cannot read x: its SAS ended at 2020-01-01 00:00:00 UTC; give one that lasts longer"


def test_an_ended_sas_of_a_clock_that_is_behind():
    """It may have been signed by that clock; new leave helps where the clock of a task's machine is the wrong one."""
    ends = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(minutes=30)
    sas = Sas(f"se={ends:%Y-%m-%dT%H:%M:%SZ}&sig=x")
    error = refusal("read", "x", Answer(403, "AuthenticationFailed", at(minutes=90, seconds=30)), sas=sas)
    assert isinstance(error, ExpiredAccess)
    assert str(error) == (
        f"cannot read x: its SAS ended at {ends:%Y-%m-%d %H:%M:%S} UTC, and this machine's clock is 90 minutes behind "
        "the service's; set the clock right, or give one that lasts longer"
    )


@pytest.mark.parametrize("token", ["sig=x", "se=nonsense&sig=x", "se=2999-01-01&sig=x"])
def test_a_sas_that_has_not_ended(token):
    assert type(refusal("read", "x", Answer(403, "AuthenticationFailed", ""), sas=Sas(token))) is StorageError


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            ServiceRequestError(
                "<urllib3 object at 0x1>: Failed to resolve 'a' ([Errno -2] Name or service not known)"
            ),
            "the host cannot be reached (Name or service not known); check the host's name",
        ),
        (ServiceResponseError("('Connection aborted.', ...)"), "the connection is lost again and again"),
        (
            ClientAuthenticationError("AADSTS7000215: Invalid client secret provided.\nTrace ID: 1"),
            "AADSTS7000215: Invalid client secret provided.",
        ),
        (ServiceRequestError("Max retries exceeded with url: /c?sv=1&sig=topsecret"), "cannot be reached"),
    ],
)
def test_errors_without_an_answer(error, told):
    with pytest.raises(StorageError) as caught, azure_failures("list", "x"):
        raise error
    assert told in str(caught.value)
    assert "topsecret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def answer(status, **headers):
    return SimpleNamespace(
        http_response=SimpleNamespace(status_code=status, headers=headers), http_request=SimpleNamespace(method="GET")
    )


@pytest.mark.parametrize(
    ("status", "again"),
    [
        (408, True),
        (429, True),
        (500, True),
        (502, True),
        (503, True),
        (504, True),
        (403, False),
        (404, False),
        (412, False),
    ],
)
def test_which_answers_are_worth_another_try(status, again):
    assert PatientRetry().is_retry({"total": 3}, answer(status)) is again


@pytest.mark.parametrize("said", ["soon", "", "1;2"])
def test_a_time_that_is_none_is_passed_over(said):
    busy = answer(503, **{"Retry-After": said})
    assert PatientRetry().get_retry_after(busy) is None
    assert PatientRetry().is_retry({"total": 3}, busy)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "Thu, 26 Nov 2026 12:00:09 GMT", "Date": "Thu, 26 Nov 2026 12:00:00 GMT"}, 9),
        ({"Retry-After": "Thu, 26 Nov 2020 12:00:09 GMT", "Date": "Thu, 26 Nov 2020 12:00:00 GMT"}, 9),
        ({"Retry-After": "Thu, 26 Nov 2020 12:00:00 GMT", "Date": "Thu, 26 Nov 2020 12:00:09 GMT"}, 0),
        ({"Retry-After": "Thu, 26 Nov 2020 12:00:00 GMT"}, 0),
        ({"x-ms-retry-after-ms": "1500"}, 1.5),
        ({"retry-after-ms": "250", "Retry-After": "soon"}, 0.25),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "-1"}, 0),
        ({}, None),
    ],
)
def test_each_form_of_the_time_to_come_back(headers, seconds):
    """A date counts from the answer's own, whatever the time is here."""
    assert PatientRetry().get_retry_after(answer(503, **headers)) == seconds
    assert Answer.of(503, headers).wait == (seconds or 0)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST"])
def test_a_lost_connection_is_tried_again_whatever_is_asked(method):
    policy = PatientRetry()
    assert policy._is_method_retryable(policy.configure_retries({}), SimpleNamespace(method=method))


def test_how_late_it_is_asked_again():
    policy = PatientRetry()
    settings = policy.configure_retries({})
    assert policy.is_retry(settings, answer(503, **{"Retry-After": str(LONGEST_WAIT)}))
    assert not policy.is_retry(settings, answer(503, **{"Retry-After": str(LONGEST_WAIT + 1)}))
    for tries, longest in ((1, FIRST_WAIT), (2, 2 * FIRST_WAIT), (4, 8 * FIRST_WAIT), (30, LONGEST_WAIT)):
        settings["history"] = [None] * tries
        waits = [policy.get_backoff_time(settings) for _ in range(50)]
        assert longest / 2 <= min(waits) < max(waits) <= longest
