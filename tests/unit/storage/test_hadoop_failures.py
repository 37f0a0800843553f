"""What of a Java exception is told and kept, without a JVM."""

from __future__ import annotations

import traceback
from types import SimpleNamespace

import pytest
from py4j.protocol import Py4JJavaError

from sparksweep.errors import StorageError
from sparksweep.storage.hadoop import HadoopStore


def failure(kind, message):
    """Return the error that a store makes of a Java exception."""
    store = HadoopStore.__new__(HadoopStore)
    store.root = "wasb://ws@acme.blob.core.windows.net"
    named = SimpleNamespace(getSimpleName=lambda: kind)
    exception = SimpleNamespace(_target_id="o1", getClass=lambda: named, getMessage=lambda: message)
    with pytest.raises(StorageError) as caught, store._failures("read", "x"):
        raise Py4JJavaError("An error occurred while calling o1.open. topsecret", exception)
    return caught.value


def test_of_a_key_provider_only_the_class_is_told():
    """Its message is what the program printed that was to print the key."""
    told = "KeyProviderException; mend the account's key provider in Hadoop's configuration"
    error = failure("KeyProviderException", "ExitCodeException exitCode=1: topsecret")
    assert str(error) == f"cannot read wasb://ws@acme.blob.core.windows.net/x: {told}"


def test_java_s_own_text_is_not_kept():
    error = failure("AzureException", "The specified blob does not exist.")
    assert error.__cause__ is None
    assert "topsecret" not in "".join(traceback.format_exception(error))
    assert "AzureException: The specified blob does not exist." in str(error)
