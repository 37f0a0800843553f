"""A service principal, by the real libraries: they ask a server of tokens, and Azurite takes what it gives."""

from __future__ import annotations

import base64
import hmac
import json
import os
import ssl
import threading
import time
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest
from azure.storage.blob import BlobServiceClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.cluster.azurite import running_azurite

from sparksweep.errors import StorageError
from sparksweep.storage.blobs import open_blob_folder

TENANT, CLIENT, SECRET = str(uuid4()), str(uuid4()), "the right secret"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Files of a certificate for this machine's loopback address, and of its key."""
    folder = tmp_path_factory.mktemp("certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    form = (pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "cert.pem").write_bytes(made.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(*form))
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture(scope="module")
def authority(certificate):
    """The address of a server that gives tokens for the right secret."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Authority)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


class Authority(BaseHTTPRequestHandler):
    def do_GET(self):
        base = f"https://{self.headers['Host']}/{TENANT}"
        self._answer(
            200,
            {
                "issuer": f"{base}/v2.0",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
            },
        )

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if f"client_secret={SECRET.replace(' ', '+')}" in body:
            self._answer(200, {"token_type": "Bearer", "expires_in": 3600, "access_token": unsigned_token()})
        else:
            told = "AADSTS7000215: Invalid client secret provided.\nTrace ID: 1"
            self._answer(401, {"error": "invalid_client", "error_description": told})

    def _answer(self, status, content):
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


def unsigned_token():
    """Return a token as Azurite wants it: it looks at everything but the signature."""
    now = int(time.time())
    content = {
        "aud": "https://storage.azure.com",
        "iss": f"https://sts.windows.net/{TENANT}/",
        "iat": now - 60,
        "nbf": now - 60,
        "exp": now + 3600,
        "oid": CLIENT,
        "tid": TENANT,
    }
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in ({"alg": "none"}, content)]
    return b".".join([*parts, b"c2ln"]).decode()


@pytest.fixture(scope="module")
def azurite(tmp_path_factory, certificate):
    """An Azurite by https, without which no token is sent."""
    options = ("--oauth", "basic", "--cert", str(certificate[0]), "--key", str(certificate[1]))
    with running_azurite(tmp_path_factory.mktemp("azurite") / "azurite.log", *options) as running:
        yield running


@pytest.fixture
def folder(azurite, authority, certificate, monkeypatch):
    """The address of a folder with one blob, and a principal in the environment."""
    for name, value in {
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": CLIENT,
        "AZURE_CLIENT_SECRET": SECRET,
        "AZURE_AUTHORITY_HOST": authority,
        "REQUESTS_CA_BUNDLE": str(certificate[0]),
    }.items():
        monkeypatch.setenv(name, value)
    name = f"test-{uuid4().hex[:12]}"
    verified = {"connection_verify": str(certificate[0])}
    with BlobServiceClient(azurite.endpoint, credential=azurite.key, **verified) as service:
        service.create_container(name).upload_blob("raw/x.zip", b"in the blob")
    return f"{azurite.endpoint}/{name}/raw"


def test_tasks_get_a_sas_of_the_principals(folder):
    """Signed by a key that the principal was given. Azurite 3.37 lacks two fields of what the client 12.31 signs."""
    file = open_blob_folder(folder).files()["x.zip"]
    fields = dict(part.split("=", 1) for part in file.access.reveal().split("&"))
    assert (fields["skoid"], fields["sktid"], fields["sp"], fields["sr"]) == (CLIENT, TENANT, "r", "c")
    assert timedelta(minutes=55) < file.access.expires - datetime.now(timezone.utc) <= timedelta(hours=1)


# What is signed, in this order and a line each, since version 2026-04-06: Microsoft's "Create a user delegation SAS".
# What has no name is nothing of a container's SAS.
SIGNED = (
    *(
        "sp",
        "st",
        "se",
        "",
        "skoid",
        "sktid",
        "skt",
        "ske",
        "sks",
        "skv",
        "saoid",
        "suoid",
        "scid",
        "skdutid",
        "sduoid",
    ),
    *("sip", "spr", "sv", "sr", "", "ses", "", "", "rscc", "rscd", "rsce", "rscl", "rsct"),
)


def test_the_sas_of_tasks_is_signed_as_the_service_expects(folder):
    """Azurite does not know this version's, so it is looked at here."""
    opened = open_blob_folder(folder)
    fields = {name: value for name, (value,) in parse_qs(opened.files()["x.zip"].access.reveal()).items()}
    assert set(fields) == {name for name in SIGNED if name in fields} | {"sig"}
    assert fields["sv"] >= "2026-04-06"
    account, container = urlsplit(folder).path.split("/")[1:3]
    lines = [fields.get(name, "") for name in SIGNED]
    lines[3] = f"/blob/{account}/{container}"
    key = base64.b64decode(opened._login._key.value)
    signed = hmac.digest(key, "\n".join(lines).encode(), "sha256")
    assert fields["sig"] == base64.b64encode(signed).decode()


AZ = """\
#!/bin/sh
[ "$*" = "account get-access-token --output json --resource https://storage.azure.com" ] || exit 2
{}
"""


@pytest.fixture
def azure_cli(folder, monkeypatch, tmp_path):
    """Return a function that makes ``az`` a program of these lines, and the only login."""
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    def make(lines):
        (tmp_path / "az").write_text(AZ.format(lines))
        (tmp_path / "az").chmod(0o755)

    return make


def test_the_azure_clis_login(folder, azure_cli):
    azure_cli(f"""echo '{{"accessToken": "{unsigned_token()}", "expires_on": {int(time.time()) + 3600}}}'""")
    file = open_blob_folder(folder).files()["x.zip"]
    assert dict(part.split("=", 1) for part in file.access.reveal().split("&"))["skoid"] == CLIENT


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("echo 'ERROR: Please run az login to setup account.' >&2; exit 1", "az login"),
        ("""echo '{"accessToken": "topsecret'""", "****"),
        ("echo 'ERROR: no network' >&2; exit 1", "ERROR: no network"),
    ],
)
def test_an_azure_cli_without_a_login_is_one_line(folder, azure_cli, caplog, lines, told):
    azure_cli(lines)
    with pytest.raises(StorageError) as caught:
        open_blob_folder(folder).files()
    assert str(caught.value).startswith(f"cannot list {folder}: the login failed: ")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "topsecret" not in str(caught.value)
    assert caplog.text == ""


def test_a_wrong_secret_is_one_line(folder, monkeypatch, caplog):
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "topsecret")
    with pytest.raises(StorageError) as caught:
        open_blob_folder(folder).files()
    assert f"cannot list {folder}: the login failed: " in str(caught.value)
    assert "AADSTS7000215: Invalid client secret provided." in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "topsecret" not in str(caught.value)
    assert caplog.text == ""
