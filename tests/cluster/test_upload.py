"""``sparksweep upload`` against Azurite: whole blobs or none, nothing twice, faults on the way, kills in the middle."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import signal
import subprocess
import time
import zipfile
from pathlib import Path
from urllib.parse import unquote

import pytest
from azure.storage.blob import ContentSettings, generate_container_sas
from tests.cluster.fault_proxy import NAMELESS, Fault

from sparksweep.cli import main
from sparksweep.storage.blobs import uploading
from sparksweep.storage.blobs.retrying import PatientRetry
from sparksweep.talkingdata import SCHEMAS

BLOCK = r"/app_events\.csv\.zip\?comp=block&"
COMMIT = r"/app_events\.csv\.zip\?comp=blocklist"


@pytest.fixture(scope="module")
def zips(tmp_path_factory):
    """Seven generated zips; with blocks of 64 KiB app_events is of about ten."""
    folder = tmp_path_factory.mktemp("generated") / "raw"
    assert main(["generate", "--out", str(folder), "--scale", "0.002", "--seed", "1"]) == 0
    return folder


@pytest.fixture
def uri(container, fault_proxy, azurite, monkeypatch):
    """The address of a folder, behind the proxy, and the login for it in the environment."""
    monkeypatch.setattr(uploading, "BLOCK_BYTES", 64 << 10)
    monkeypatch.setenv("AZURE_STORAGE_KEY", azurite.key)
    return f"{fault_proxy.url}/{azurite.account}/{container.container_name}/raw/data"


@pytest.fixture
def upload(zips, uri, capsys):
    """Return a function that runs the command here; gives its exit code, output and errors."""

    def run(*arguments, folder=zips):
        code = main(["upload", str(folder), uri, *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def contents(container):
    return {blob.name: container.download_blob(blob.name).readall() for blob in container.list_blobs()}


def expected(zips):
    return {f"raw/data/{path.name}": path.read_bytes() for path in zips.iterdir()}


def requests(fault_proxy, method, pattern):
    return [seen for seen in fault_proxy.seen if seen.method == method and re.search(pattern, seen.path)]


def test_the_zips_arrive_whole_with_their_md5(upload, container, zips):
    code, out, err = upload()
    assert (code, err) == (0, "")
    assert contents(container) == expected(zips)
    for blob in container.list_blobs():
        data = expected(zips)[blob.name]
        assert bytes(blob.content_settings.content_md5) == hashlib.md5(data).digest()
        assert blob.content_settings.content_type == "application/zip"
    assert out.splitlines()[-1].startswith(f"{len(SCHEMAS)} zips in http://127.0.0.1:")
    assert f"app_events.csv.zip: {(zips / 'app_events.csv.zip').stat().st_size:,} bytes sent" in out


SHOP = """
tables:
  customers: {columns: {customer_id: int64, segment: string, churned: string}, key: [customer_id]}
rows: {train: customers, key: customer_id, target: churned}
feature_sets: {segment: {kind: one_hot, table: customers, by: segment}}
"""


def test_zips_of_ones_own(upload, container, tmp_path):
    folder, schema = tmp_path / "raw", tmp_path / "shop.yaml"
    folder.mkdir()
    schema.write_text(SHOP)
    code, _, err = upload("--schema", str(schema), folder=folder)
    assert (code, contents(container)) == (1, {})
    assert err.startswith(f"sparksweep: error: {folder}: customers.csv.zip missing; ")
    with zipfile.ZipFile(folder / "customers.csv.zip", "w") as file:
        file.writestr("customers.csv", "customer_id,segment,churned\n1,gold,no\n")
    (folder / "notes.txt").write_text("not sent")
    code, out, err = upload("--schema", str(schema), folder=folder)
    assert (code, err) == (0, "")
    assert contents(container) == {"raw/data/customers.csv.zip": (folder / "customers.csv.zip").read_bytes()}
    assert out.splitlines()[-1].startswith("1 zip in ")
    code, _, err = upload("--schema", str(tmp_path / "shops.yaml"), folder=folder)
    assert (code, "shops.yaml" in err) == (2, True)


def test_what_is_there_is_not_sent_again(upload, fault_proxy, zips):
    upload()
    fault_proxy.clear()
    code, out, _ = upload()
    assert code == 0
    assert {seen.method for seen in fault_proxy.seen} == {"HEAD"}
    assert out.count("bytes, are there already") == len(SCHEMAS)


FAULTS = {
    "connection lost in a block": Fault("PUT", BLOCK, cut_request_at=30_000, times=2),
    "busy": Fault("PUT", BLOCK, status=503, headers={"Retry-After": "0"}, times=3),
    "too many requests": Fault("PUT", BLOCK, status=429, headers={"Retry-After": "0"}, times=2),
    "failing": Fault("PUT", COMMIT, status=500),
    "a block's answer lost": Fault("PUT", BLOCK, lose_answer=True),
    "the last answer lost": Fault("PUT", COMMIT, lose_answer=True),
    "busy at first": Fault("HEAD", "", status=503),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_on_the_way_are_mended(upload, container, fault_proxy, zips, name):
    fault = fault_proxy.add(FAULTS[name])
    code, _, err = upload()
    assert (code, err) == (0, "")
    assert fault.hits == fault.times
    assert contents(container) == expected(zips)


def test_retry_after_is_waited_for(upload, fault_proxy):
    fault_proxy.add(Fault("PUT", COMMIT, status=503, headers={"Retry-After": "2"}))
    assert upload()[0] == 0
    first, second = requests(fault_proxy, "PUT", COMMIT)
    assert second.at - first.at >= 2


def test_a_failing_service_is_one_line_and_no_half_blob(upload, container, fault_proxy):
    fault_proxy.add(Fault("PUT", BLOCK, status=412, code="LeaseIdMissing", skip=3, times=99))
    code, _, err = upload()
    assert code == 1
    assert err.startswith("sparksweep: error: cannot write http://127.0.0.1:")
    assert "another program holds a lease on the blob" in err
    assert "(412 LeaseIdMissing)" in err
    assert err.count("\n") == 1
    assert "raw/data/app_events.csv.zip" not in contents(container)


def test_another_content_is_not_replaced_unless_asked_for(upload, container, zips, fault_proxy):
    container.upload_blob("raw/data/events.csv.zip", b"mine")
    code, _, err = upload()
    assert code == 2
    assert "holds events.csv.zip with another content; --overwrite replaces it" in err
    assert contents(container) == {"raw/data/events.csv.zip": b"mine"}
    assert not requests(fault_proxy, "PUT", "comp=block")
    assert upload("--overwrite")[0] == 0
    assert contents(container) == expected(zips)


def test_the_same_without_an_md5_is_told(upload, container, zips):
    blob = container.get_blob_client("raw/data/events.csv.zip")
    blob.stage_block("AAAA", (zips / "events.csv.zip").read_bytes())
    blob.commit_block_list(["AAAA"])
    code, _, err = upload()
    assert code == 2
    assert "holds events.csv.zip (as long, without an MD5 to compare) with another content; --overwrite" in err


@pytest.mark.parametrize("kind", ["AppendBlob", "PageBlob"])
def test_a_blob_of_another_kind_is_told(upload, container, kind):
    blob = container.get_blob_client("raw/data/app_events.csv.zip")
    blob.create_append_blob() if kind == "AppendBlob" else blob.create_page_blob(512)
    code, _, err = upload("--overwrite")
    assert code == 1
    assert "it is no block blob, but one to append to or of pages; delete it, or choose another folder (409 " in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_another_wrote_meanwhile_stays(upload, container, fault_proxy, overwrite):
    name = "raw/data/app_events.csv.zip"
    if overwrite:
        container.upload_blob(name, b"old")
    fault_proxy.add(Fault("PUT", COMMIT, on_hit=lambda: container.upload_blob(name, b"theirs", overwrite=True)))
    code, _, err = upload(*["--overwrite"] * overwrite)
    assert code == 1
    assert "another has written it meanwhile" in err
    assert container.download_blob(name).readall() == b"theirs"


def test_the_same_from_another_meanwhile_will_do(upload, container, fault_proxy, zips):
    data = (zips / "app_events.csv.zip").read_bytes()
    kind = ContentSettings(content_md5=bytearray(hashlib.md5(data).digest()))
    put = lambda: container.upload_blob("raw/data/app_events.csv.zip", data, content_settings=kind)  # noqa: E731
    fault_proxy.add(Fault("PUT", COMMIT, on_hit=put))
    assert upload()[0] == 0
    assert contents(container) == expected(zips)


def test_a_file_that_changes_on_the_way(upload, container, fault_proxy, zips, tmp_path):
    for path in zips.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    changing = tmp_path / "app_events.csv.zip"
    data = changing.read_bytes()
    # The probe is the first block that is sent.
    fault_proxy.add(Fault("PUT", "comp=block&", on_hit=lambda: changing.write_bytes(data[::-1])))
    code, _, err = upload(folder=tmp_path)
    assert code == 1
    assert f"{changing} changed while it was uploaded" in err
    assert "raw/data/app_events.csv.zip" not in contents(container)


@pytest.fixture
def sas(azurite, container, monkeypatch):
    """Return a function that makes a SAS with some permissions the only login."""

    def use(permission, expiry="2099-01-01T00:00:00Z"):
        monkeypatch.delenv("AZURE_STORAGE_KEY", raising=False)
        names = (azurite.account, container.container_name)
        token = generate_container_sas(*names, account_key=azurite.key, permission=permission, expiry=expiry)
        monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", token)
        return token

    return use


def test_a_sas_will_do(upload, sas, container, zips):
    sas("rcw")
    assert upload()[0] == 0
    assert contents(container) == expected(zips)


@pytest.mark.parametrize(("permission", "n_bytes"), [("rl", 1), ("cw", 0)])
def test_a_login_that_may_too_little_is_told_before_the_first_byte(
    upload, sas, container, fault_proxy, permission, n_bytes
):
    token = sas(permission)
    code, out, err = upload()
    assert code == 1
    assert "the login lacks the right to write" in err
    assert token.rpartition("sig=")[2] not in out + err
    assert contents(container) == {}
    assert sum(seen.received for seen in fault_proxy.seen) == n_bytes


@pytest.mark.parametrize(
    ("spoil", "told"),
    [("refused", "cannot write "), ("unreachable", "cannot "), ("expired", "its SAS ended "), ("a header", "")],
)
def test_the_signature_is_in_no_message(zips, uri, sas, fault_proxy, monkeypatch, capfd, caplog, spoil, told):
    monkeypatch.setattr(PatientRetry, "get_backoff_time", lambda self, settings: 0.0)
    token = sas("rcw", expiry="2020-01-01T00:00:00Z" if spoil == "expired" else "2099-01-01T00:00:00Z")
    if spoil == "refused":
        fault_proxy.add(Fault("PUT", BLOCK, status=412, code="LeaseIdMissing", times=99))
    elif spoil == "unreachable":
        uri = uri.replace(str(fault_proxy.port), "1")
    else:
        fault_proxy.add(Fault("*", headers=NAMELESS, times=999))
    assert main(["upload", str(zips), f"{uri}?{token}"]) == bool(told)
    said = "".join(capfd.readouterr())
    assert told in said
    for secret in (token.rpartition("sig=")[2], unquote(token.rpartition("sig=")[2])):
        assert secret not in said
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("spoil", "code", "told"),
    [
        ("container", 1, "there is no such container"),
        ("key", 1, "the service refuses the login by AZURE_STORAGE_KEY"),
        ("login", 2, "no way to log in to account devstoreaccount1"),
        ("address", 2, "'no_container' cannot be a container"),
        ("folder", 2, "no such folder"),
        ("zips", 1, "events.csv.zip missing"),
        ("damage", 1, "events.csv.zip"),
    ],
)
def test_what_is_wrong_is_one_line_before_anything_is_sent(
    zips, uri, container, fault_proxy, monkeypatch, tmp_path, capsys, spoil, code, told
):
    folder = zips
    if spoil == "container":
        uri = uri.replace(container.container_name, "nothing-here")
    elif spoil == "key":
        monkeypatch.setenv("AZURE_STORAGE_KEY", "bm90IHRoZSBrZXk=")
    elif spoil == "login":
        monkeypatch.delenv("AZURE_STORAGE_KEY")
        monkeypatch.setenv("PATH", "/nowhere")
    elif spoil == "address":
        uri = uri.replace(container.container_name, "no_container")
    elif spoil == "folder":
        folder = tmp_path / "nothing"
    else:
        folder = tmp_path
        for path in zips.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        if spoil == "zips":
            (folder / "events.csv.zip").unlink()
        else:
            (folder / "events.csv.zip").write_bytes((zips / "events.csv.zip").read_bytes()[:-30])
    assert main(["upload", str(folder), uri]) == code
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1
    assert not [seen for seen in fault_proxy.seen if seen.method == "PUT"]


@pytest.fixture
def started(zips, uri, azurite, sparksweep_program, start_process):
    """Return a function that starts the command as a process of its own, with small blocks."""
    code = (
        "import sys; from sparksweep.storage.blobs import uploading; uploading.BLOCK_BYTES = 64 << 10; "
        "from sparksweep.cli import main; sys.exit(main(sys.argv[1:]))"
    )

    def start():
        python = os.path.join(os.path.dirname(sparksweep_program), "python")
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return start_process(python, "-c", code, "upload", zips, uri, **pipes)

    return start


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_after_a_kill_only_what_is_missing_is_sent(started, upload, container, fault_proxy, azurite, zips, how):
    killed, running, hits = {}, [], itertools.count()

    def kill():
        if next(hits) == 0:
            running.extend(path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline"))
            os.kill(killed["process"].pid, how)
        while killed["process"].poll() is None:  # no other block of it passes either, however slowly it ends
            time.sleep(0.05)

    fault = fault_proxy.add(Fault("PUT", BLOCK, skip=5, times=99, on_hit=kill))
    killed["process"] = process = started()
    out, err = process.communicate(timeout=60)
    assert fault.hits >= 1
    if how == signal.SIGINT:
        assert process.returncode == 130
        assert err == "sparksweep: error: interrupted; the same command goes on with what is done\n"
    else:
        assert process.returncode == -how
    assert "raw/data/app_events.csv.zip" not in contents(container)
    assert any(b"upload" in line for line in running)
    assert not any(azurite.key in text for text in [*map(bytes.decode, running), out, err])
    whole = set(contents(container))
    fault_proxy.clear()

    code, out, _ = upload()
    assert code == 0
    assert contents(container) == expected(zips)
    size = (zips / "app_events.csv.zip").stat().st_size
    again = sum(seen.received for seen in requests(fault_proxy, "PUT", BLOCK)) - 1  # the probe
    assert 0 < again <= size - 4 * (64 << 10)
    assert f"app_events.csv.zip: {again:,} bytes sent, {size - again:,} were there" in out
    assert out.count("are there already") == len(whole)
