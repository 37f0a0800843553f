"""Which way in is taken, and what of it is shown or handed out."""

from __future__ import annotations

import copy
import pickle
from datetime import datetime, timedelta, timezone
from urllib.parse import quote

import pytest

from sparksweep.errors import UsageError
from sparksweep.storage.blobs import Sas, log_in, logins, parse_address, read_secrets

KEY = "a2V5LW9mLWFjbWUtMTIzNA=="
OTHER = "b3RoZXIta2V5"
WASB = "wasbs://raw@acme.blob.core.windows.net/k"
WEB = "https://acme.blob.core.windows.net/raw"
CONNECTION = "DefaultEndpointsProtocol=https;AccountName={};AccountKey={};EndpointSuffix=core.windows.net"
SAS_CONNECTION = "BlobEndpoint={};SharedAccessSignature=sv=1&sig=topsecret"
PRINCIPAL = {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_CLIENT_SECRET": "s3cret"}


@pytest.fixture(autouse=True)
def _without_azure_cli(monkeypatch):
    monkeypatch.setattr(logins.shutil, "which", lambda name: None)


def enter(uri, hadoop_key=None, **secrets):
    return log_in(parse_address(uri), secrets, hadoop_key)


def test_the_order():
    """Each way, most wanted first, with all the others given too; the last is the Azure CLI's."""
    ways = [
        ("AZURE_STORAGE_CONNECTION_STRING", CONNECTION.format("acme", KEY)),
        ("AZURE_STORAGE_KEY", KEY),
        ("AZURE_STORAGE_SAS_TOKEN", "sv=1&sig=x"),
    ]
    assert enter(f"{WEB}?sv=1&sig=x", **dict(ways)).how == "the SAS in the address"
    for place, (name, _) in enumerate(ways):
        login = enter(WASB, lambda address: OTHER, **dict(ways[place:]), **PRINCIPAL)
        assert login.how == name
    assert enter(WASB, lambda address: OTHER, **PRINCIPAL).how == "the key in Hadoop's configuration"
    assert enter(WASB, lambda address: None, **PRINCIPAL).how == "the service principal c"
    assert enter(WEB, lambda address: OTHER, **PRINCIPAL).how == "the service principal c"  # no address of Hadoop's


def test_the_azure_cli_is_the_last_way(monkeypatch):
    monkeypatch.setattr(logins.shutil, "which", lambda name: "/usr/bin/az")
    assert enter(WASB).how == "the Azure CLI's login"


def test_hadoop_is_only_asked_when_nothing_before_it_is_given():
    def never(address):
        raise AssertionError("asked")

    assert enter(WASB, never, AZURE_STORAGE_KEY=KEY).how == "AZURE_STORAGE_KEY"


def test_hadoop_is_asked_for_the_host_of_the_address():
    asked = []
    enter("abfss://raw@acme.dfs.core.windows.net", lambda address: asked.append(address.host) or KEY)
    assert asked == ["acme.dfs.core.windows.net"]


@pytest.mark.parametrize(
    ("secrets", "why"),
    [
        ({"AZURE_STORAGE_CONNECTION_STRING": CONNECTION.format("other", KEY)}, "is of account other"),
        (
            {"AZURE_STORAGE_CONNECTION_STRING": SAS_CONNECTION.format("https://other.blob.core.windows.net/")},
            "of account",
        ),
        (
            {"AZURE_STORAGE_CONNECTION_STRING": SAS_CONNECTION.format("http://127.0.0.1:10000/other")},
            "is of account other",
        ),
        ({"AZURE_STORAGE_ACCOUNT": "other", "AZURE_STORAGE_KEY": KEY}, "AZURE_STORAGE_ACCOUNT is other"),
    ],
)
def test_a_key_of_another_account_is_passed_over(secrets, why):
    assert enter(WASB, lambda address: KEY, **secrets).how == "the key in Hadoop's configuration"
    with pytest.raises(UsageError) as caught:
        enter(WASB, **secrets)
    assert why in str(caught.value)
    assert KEY not in str(caught.value)


def test_a_connection_string_says_where_the_account_is():
    text = f"AccountName=acme;AccountKey={KEY};BlobEndpoint=http://127.0.0.1:10000/acme/;"
    assert enter(WASB, AZURE_STORAGE_CONNECTION_STRING=text).endpoint == "http://127.0.0.1:10000/acme"
    same = "http://127.0.0.1:10000/acme/raw"
    assert enter(same, AZURE_STORAGE_CONNECTION_STRING=text).endpoint == "http://127.0.0.1:10000/acme"
    with pytest.raises(UsageError, match=r"AZURE_STORAGE_CONNECTION_STRING is of http://127\.0\.0\.1:10000/acme"):
        enter(WEB, AZURE_STORAGE_CONNECTION_STRING=text)  # a web address says itself where the account is served


def test_a_connection_string_with_a_sas():
    text = "BlobEndpoint=https://acme.blob.core.windows.net/;SharedAccessSignature=sv=1&sig=x%3D"
    assert enter(WASB, AZURE_STORAGE_CONNECTION_STRING=text).read_access("raw").reveal() == "sv=1&sig=x%3D"


@pytest.mark.parametrize("key", ["topsecret!", "dG9wc2VjcmV", "sv=1&sig=topsecret"])
def test_what_is_no_key(key):
    with pytest.raises(UsageError) as caught:
        enter(WASB, AZURE_STORAGE_KEY=key)
    assert str(caught.value) == "AZURE_STORAGE_KEY: is no account key, which is base64; copy it whole"


STRANGE = "https://acme.blob.example.com/raw"


@pytest.mark.parametrize(
    "secrets",
    [
        {"AZURE_STORAGE_SAS_TOKEN": "sv=1&sig=topsecret"},
        {"AZURE_STORAGE_CONNECTION_STRING": "AccountName=acme;SharedAccessSignature=sv=1&sig=topsecret"},
        PRINCIPAL,
    ],
)
def test_what_lets_a_host_in_is_not_sent_to_any(secrets):
    with pytest.raises(
        UsageError, match=r"acme\.blob\.example\.com is no host of Azure's storage, and .* not sent"
    ) as caught:
        enter(STRANGE, **secrets)
    assert "topsecret" not in str(caught.value)


def test_a_token_of_the_azure_cli_is_not_sent_to_any_host(monkeypatch):
    monkeypatch.setattr(logins.shutil, "which", lambda name: "/usr/bin/az")
    with pytest.raises(UsageError, match="a token of the Azure CLI's login is not sent there"):
        enter("http://blobs:10000/acme/raw")


@pytest.mark.parametrize("secrets", [PRINCIPAL, {}])
@pytest.mark.parametrize("uri", ["http://127.0.0.1:10000/acme/raw", "wasb://raw@acme.blob.core.windows.net:10000/k"])
def test_a_token_is_not_sent_in_clear(monkeypatch, uri, secrets):
    monkeypatch.setattr(logins.shutil, "which", lambda name: "/usr/bin/az")
    how = "the service principal c" if secrets else "the Azure CLI's login"
    with pytest.raises(UsageError) as caught:
        enter(uri, **secrets)
    assert str(caught.value) == (
        f"{uri}: a token of {how} is only sent by https; give the address as https (wasbs, abfss), or a key or a SAS"
    )


@pytest.mark.parametrize(
    ("uri", "connection"),
    [
        ("https://acme.blob.core.chinacloudapi.cn/raw", {}),
        ("https://acme.z12.blob.storage.azure.net/raw", {}),
        ("http://127.0.0.1:10000/acme/raw", {}),
        ("http://[::1]:10000/acme/raw", {}),
        ("http://localhost:10000/acme/raw", {}),
        (STRANGE, {"AZURE_STORAGE_CONNECTION_STRING": f"AccountName=x;AccountKey={KEY};BlobEndpoint={STRANGE[:-4]}"}),
    ],
)
def test_hosts_that_a_sas_of_the_variables_is_sent_to(uri, connection):
    assert enter(uri, AZURE_STORAGE_SAS_TOKEN="sv=1&sig=x", **connection).how == "AZURE_STORAGE_SAS_TOKEN"


def test_a_key_is_sent_to_nobody_and_so_goes_with_any_host():
    assert enter(STRANGE, AZURE_STORAGE_KEY=KEY).how == "AZURE_STORAGE_KEY"


def test_a_connection_string_with_no_address_in_it():
    with pytest.raises(UsageError, match="its BlobEndpoint is no address; copy it whole"):
        enter(WASB, AZURE_STORAGE_CONNECTION_STRING=SAS_CONNECTION.format("http://[topsecret"))


def test_half_a_connection_string():
    with pytest.raises(UsageError, match="holds neither AccountKey nor SharedAccessSignature; copy it whole"):
        enter(WASB, AZURE_STORAGE_CONNECTION_STRING="AccountName=acme")


def test_without_any_way():
    with pytest.raises(UsageError) as caught:
        enter(WASB)
    assert str(caught.value) == (
        f"{WASB}: no way to log in to account acme: set AZURE_STORAGE_KEY, _SAS_TOKEN or _CONNECTION_STRING, a service "
        "principal's variables or SPARKSWEEP_SECRETS_FILE, or run az login"
    )


@pytest.mark.parametrize(
    "secrets", [{"AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential"}, {"AZURE_CLIENT_ID": "1234"}]
)
def test_a_managed_identity_is_refused(secrets):
    with pytest.raises(UsageError, match="asks for a managed identity, for which HDInsight's nodes give no tokens"):
        enter(WASB, **secrets)


def test_half_a_principal():
    with pytest.raises(UsageError, match="a service principal needs AZURE_TENANT_ID and AZURE_CLIENT_ID too"):
        enter(WASB, AZURE_CLIENT_SECRET="s3cret")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"AZURE_TENANT_ID": "top secret"}, "AZURE_TENANT_ID is not what a service principal needs"),
        ({"AZURE_AUTHORITY_HOST": "http://topsecret"}, "AZURE_TENANT_ID or AZURE_AUTHORITY_HOST is not what a"),
        ({"AZURE_CLIENT_CERTIFICATE_PATH": "/absent"}, "AZURE_CLIENT_CERTIFICATE_PATH: cannot be read (No such file"),
        ({"AZURE_CLIENT_CERTIFICATE_PATH": __file__}, "AZURE_TENANT_ID or AZURE_CLIENT_CERTIFICATE_PATH is not what a"),
    ],
)
def test_a_malformed_principal(wrong, told):
    secrets = {**PRINCIPAL, **wrong}
    if "AZURE_CLIENT_CERTIFICATE_PATH" in wrong:
        del secrets["AZURE_CLIENT_SECRET"]
    with pytest.raises(UsageError) as caught:
        enter(WASB, **secrets)
    assert str(caught.value).startswith(told)
    assert "\n" not in str(caught.value)
    assert not any(value in str(caught.value) for value in wrong.values())


class Service:
    """Stands for the service's client: what it is asked for is only counted here."""

    def __init__(self, *_, **__):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def get_user_delegation_key(self, begin, end):
        self.asked.append((begin, end))
        key = logins.UserDelegationKey()
        for name, value in {"oid": "o", "tid": "t", "service": "b", "version": "2026-01-01", "value": KEY}.items():
            setattr(key, name if name == "value" else f"signed_{name}", value)
        key.signed_start, key.signed_expiry = "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"
        return key


def test_a_principal_asks_for_a_key_once_until_shortly_before_its_end(monkeypatch):
    monkeypatch.setattr(Service, "asked", [], raising=False)
    monkeypatch.setattr(logins, "BlobServiceClient", Service)
    login = enter(WASB, **PRINCIPAL)
    for _ in range(3):
        assert "sig=" in login.read_access("raw").reveal()
    ((begin, end),) = Service.asked
    assert end - begin == logins.KEY_LASTS
    login._key_ends = datetime.now(timezone.utc) + timedelta(minutes=59)  # an hour's SAS would outlast it
    login.read_access("raw")
    assert len(Service.asked) == 2


def test_tasks_get_leave_to_read_one_container_for_an_hour():
    login = enter(WASB, AZURE_STORAGE_KEY=KEY)
    sas = login.read_access("raw")
    fields = dict(part.split("=", 1) for part in sas.reveal().split("&"))
    assert (fields["sp"], fields["sr"], fields["spr"]) == ("r", "c", "https")
    now = datetime.now(timezone.utc)
    assert timedelta(minutes=59) < sas.expires - now <= timedelta(hours=1)
    begin = datetime.fromisoformat(fields["st"].replace("%3A", ":").replace("Z", "+00:00"))
    assert timedelta(minutes=14) < now - begin < timedelta(minutes=16)


def test_a_users_own_sas_is_handed_on_as_it_is():
    assert enter(f"{WEB}?sv=1&sig=x%3D").read_access("raw").reveal() == "sv=1&sig=x%3D"


@pytest.mark.parametrize("uri", [WASB, f"{WEB}?sv=1&sig=topsecret"])
def test_a_login_shows_nothing_and_stays_where_it_is(uri):
    login = enter(uri, AZURE_STORAGE_KEY=KEY)
    shown = f"{login} {login!r}"
    assert KEY not in shown
    assert "topsecret" not in shown
    for leave in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError, match="stays in the driver"):
            leave(login)


class TestSecrets:
    @pytest.fixture
    def file(self, tmp_path):
        path = tmp_path / "secrets"
        path.write_text(f"# of acme\n\nAZURE_STORAGE_KEY = {KEY}\nAZURE_CLIENT_ID=file\n")
        path.chmod(0o600)
        return path

    def test_environment_and_file_together(self, file):
        environ = {"SPARKSWEEP_SECRETS_FILE": str(file), "AZURE_CLIENT_ID": "environment", "HOME": "/root"}
        assert read_secrets(environ) == {"AZURE_STORAGE_KEY": KEY, "AZURE_CLIENT_ID": "environment"}

    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
    def test_a_file_that_others_can_touch(self, file, mode):
        file.chmod(mode)
        with pytest.raises(UsageError) as caught:
            read_secrets({"SPARKSWEEP_SECRETS_FILE": str(file)})
        assert str(caught.value) == (
            f"{file} (SPARKSWEEP_SECRETS_FILE): others can touch it (mode {mode:o}); run chmod 600 {file}"
        )

    def test_a_file_that_is_no_text(self, file):
        file.write_bytes(b"AZURE_STORAGE_KEY=tops\xe9cret\n")
        with pytest.raises(UsageError) as caught:
            read_secrets({"SPARKSWEEP_SECRETS_FILE": str(file)})
        assert str(caught.value) == f"{file} (SPARKSWEEP_SECRETS_FILE): is no text in UTF-8; write it anew"
        assert caught.value.__suppress_context__

    def test_a_line_of_another_kind_is_not_shown(self, file):
        file.write_text("topsecret\n")
        with pytest.raises(UsageError) as caught:
            read_secrets({"SPARKSWEEP_SECRETS_FILE": str(file)})
        assert "line 1 is not AZURE_NAME=VALUE" in str(caught.value)
        assert "topsecret" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("2026-11-26", 0),
        ("2026-11-26T11:42Z", 42120),
        ("2026-11-26T11:42:59Z", 42179),
        ("2026-11-26T11:42:59.0000000Z", 42179),
    ],
)
def test_each_form_of_a_sas_end(written, seconds):
    ends = Sas(f"?se={quote(written)}&sig=x").expires
    assert ends == datetime(2026, 11, 26, tzinfo=timezone.utc) + timedelta(seconds=seconds)
