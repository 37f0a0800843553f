"""A service principal, by the real libraries: they ask a server of tokens, and Azurite takes what it gives."""

from __future__ import annotations

import base64
import json
import ssl
import threading
import time
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
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


def test_a_wrong_secret_is_one_line(folder, monkeypatch, caplog):
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "topsecret")
    with pytest.raises(StorageError) as caught:
        open_blob_folder(folder).files()
    assert f"cannot list {folder}: the login failed: " in str(caught.value)
    assert "AADSTS7000215: Invalid client secret provided." in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "topsecret" not in str(caught.value)
    assert caplog.text == ""
