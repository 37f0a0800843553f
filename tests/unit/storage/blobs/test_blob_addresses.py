from __future__ import annotations

import pytest

from sparksweep.errors import UsageError
from sparksweep.storage.blobs import parse_address

PRODUCTION = "https://acme.blob.core.windows.net"


@pytest.mark.parametrize(
    ("uri", "endpoint", "folder"),
    [
        ("wasbs://raw@acme.blob.core.windows.net/kaggle/zips/", PRODUCTION, "kaggle/zips"),
        ("wasb://raw@acme.blob.core.windows.net", PRODUCTION, ""),
        ("abfss://raw@acme.dfs.core.windows.net/kaggle", PRODUCTION, "kaggle"),
        ("abfs://raw@ACME.dfs.core.windows.net/kaggle", PRODUCTION, "kaggle"),
        ("https://acme.blob.core.windows.net/raw", PRODUCTION, ""),
        ("https://acme.blob.core.windows.net/raw/a%20b/c", PRODUCTION, "a b/c"),
        ("https://acme.dfs.core.windows.net/raw/kaggle", PRODUCTION, "kaggle"),
        ("wasbs://raw@acme.blob.core.chinacloudapi.cn/k", "https://acme.blob.core.chinacloudapi.cn", "k"),
        ("https://acme.z12.blob.storage.azure.net/raw", "https://acme.z12.blob.storage.azure.net", ""),
        ("http://acme.blob.core.windows.net/raw/k", PRODUCTION, "k"),
        ("http://acme.dfs.core.windows.net:10000/raw", "http://acme.blob.core.windows.net:10000", ""),
        ("http://[::1]:10000/acme/raw", "http://[::1]:10000/acme", ""),
        ("http://127.0.0.1:10000/acme/raw/k", "http://127.0.0.1:10000/acme", "k"),
        ("http://azurite:10000/acme/raw", "http://azurite:10000/acme", ""),
        ("wasb://raw@acme.blob.core.windows.net:10000/k", "http://acme.blob.core.windows.net:10000", "k"),
    ],
)
def test_each_form(uri, endpoint, folder):
    address = parse_address(uri)
    assert (address.endpoint, address.account, address.container) == (endpoint, "acme", "raw")
    assert address.folder == folder
    assert address.blob("events.csv.zip") == (f"{folder}/events.csv.zip" if folder else "events.csv.zip")
    assert address.sas is None
    assert str(address).lower() == uri.rstrip("/").lower()


def test_hadoop_takes_signs_for_parts_of_a_name():
    assert parse_address("wasbs://raw@acme.blob.core.windows.net/a%20b?c#d").folder == "a%20b?c#d"


def test_a_sas_is_kept_and_not_shown():
    address = parse_address("https://acme.blob.core.windows.net/raw/k?sv=2024&sig=c2VjcmV0%3D")
    assert address.sas.reveal() == "sv=2024&sig=c2VjcmV0%3D"
    assert str(address) == "https://acme.blob.core.windows.net/raw/k"
    assert "c2VjcmV0" not in f"{address!r} {address.sas!r} {address.sas}"


@pytest.mark.parametrize(
    ("uri", "what"),
    [
        ("wasbs://acme.blob.core.windows.net/raw", "names no container and account"),
        ("wasbs:///raw", "names no container and account"),
        ("abfss://raw@acme/k", "names no container and account"),
        ("https://acme.blob.core.windows.net/", "names no container"),
        ("https://example.com/raw/k", "not an address of Azure's blobs"),
        ("acme/raw", "acme/raw: not an address; give"),
        ("http://127.0.0.1:10000/acme", "names no container"),
        ("https://acme.blob.core.windows.net/Raw", "'Raw' cannot be a container"),
        ("wasbs://a@acme.blob.core.windows.net/", "'a' cannot be a container"),
        ("https://acme.blob.core.windows.net:x/raw", "not an address"),
        ("https://me:topsecret@acme.blob.core.windows.net/raw", "holds more than host, container and folder"),
    ],
)
def test_what_is_no_address(uri, what):
    with pytest.raises(UsageError) as caught:
        parse_address(uri)
    assert what in str(caught.value)
    assert "wasbs://CONTAINER@ACCOUNT.blob.core.windows.net/FOLDER" in str(caught.value)
    assert "topsecret" not in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    [
        "wasbs://raw@acme.blob.core.windows.net/../x",
        "abfss://raw@acme.dfs.core.windows.net/a/../../x/",
        "wasbs://raw@acme.blob.core.windows.net/./a",
        "https://acme.blob.core.windows.net/raw/..",
        "https://acme.blob.core.windows.net/raw/%2e%2E/x?sv=1&sig=topsecret",
        "https://acme.blob.core.windows.net/raw/a%2F..%2F..%2Fx",
        "http://127.0.0.1:10000/../raw/k",
    ],
)
def test_an_address_that_leads_elsewhere(uri):
    with pytest.raises(UsageError, match=r"a folder called '\.\.?' would lead elsewhere; leave it out$") as caught:
        parse_address(uri)
    assert "topsecret" not in str(caught.value)


def test_dots_in_names_lead_nowhere():
    assert parse_address("https://acme.blob.core.windows.net/raw/..a/.b/c...").folder == "..a/.b/c..."
    assert parse_address("wasbs://raw@acme.blob.core.windows.net/%2e%2e").folder == "%2e%2e"  # so it is called


@pytest.mark.parametrize("scheme", ["wasbs", "abfss"])
def test_a_sas_is_no_part_of_an_address_of_hadoop(scheme):
    with pytest.raises(UsageError, match="a SAS cannot be part of it; leave it out") as caught:
        parse_address(f"{scheme}://raw@acme.blob.core.windows.net/k?sv=1&sig=topsecret")
    assert "topsecret" not in str(caught.value)


def test_a_sas_in_a_wrong_address_is_not_shown():
    with pytest.raises(UsageError) as caught:
        parse_address("https://acme.blob.core.windows.net:x/raw?sv=1&sig=topsecret")
    assert "topsecret" not in str(caught.value)
