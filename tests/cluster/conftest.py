"""What the tests of Azure share: a running Azurite, a container of one's own in it, a proxy that makes faults."""

from __future__ import annotations

import os
from uuid import uuid4

import pytest
from tests.cluster.azurite import running_azurite
from tests.cluster.fault_proxy import running_proxy
from tests.cluster.installing import hadoop_azure_jars
from tests.cluster.wasb import add_wasb, wasb_address
from tests.jobs.conftest import (  # noqa: F401 - fixtures
    cluster_module,
    command,
    quick,
    sparksweep_program,
    start_process,
    write_experiment,
)

from sparksweep.storage.blobs.secrets import SECRETS_FILE


@pytest.fixture(autouse=True)
def _no_login_of_the_developers_own(monkeypatch):
    for name in list(os.environ):
        if name.startswith("AZURE_") or name == SECRETS_FILE:
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def azurite(tmp_path_factory):
    """One Azurite for the whole test process: its address, account and key."""
    with running_azurite(tmp_path_factory.mktemp("azurite") / "azurite.log") as running:
        yield running


@pytest.fixture
def container(azurite):
    """A container of this test's own, through Azure's client."""
    with azurite.client() as client:
        made = client.create_container(f"test-{uuid4().hex[:12]}")
        yield made
        made.delete_container()


@pytest.fixture(scope="session")
def session_proxy(azurite):
    """One proxy before Azurite for the whole test process."""
    with running_proxy(azurite.url) as proxy:
        yield proxy


@pytest.fixture
def fault_proxy(session_proxy):
    """The proxy without faults; what a test adds goes with it."""
    session_proxy.clear()
    yield session_proxy
    session_proxy.clear()


@pytest.fixture(scope="session")
def wasb_spark(spark, azurite, session_proxy):
    """The tests' Spark session, able to reach Azurite by wasb."""
    add_wasb(spark, hadoop_azure_jars(), azurite, session_proxy)
    return spark


@pytest.fixture
def wasb(wasb_spark, azurite, container, fault_proxy):
    """The address of an empty folder of this test's container."""
    return wasb_address(azurite, container.container_name, "work space")
