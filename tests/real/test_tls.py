"""HTTPS from a certificate that the test signs itself."""

import datetime
import http.client
import ipaddress
import json
import socket
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.serve.served import JSON, ended, started


def certificate(folder, address="127.0.0.1"):
    """Files of a certificate for an address, signed by its own key, and of the key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "headway test")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    files = folder / "cert.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ))  # fmt: skip
    files[1].chmod(0o600)
    return files


def test_answers_come_over_tls_to_who_trusts_the_certificate(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    cert, key = certificate(tmp_path)
    process, port = started(home, "--tls-cert", str(cert), "--tls-key", str(key))
    trusting = ssl.create_default_context(cafile=cert)
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=trusting)
    connection.request("POST", "/v1/size", json.dumps({"task": {"user": "ann"}}), JSON)
    answer = connection.getresponse()
    assert (answer.status, bool(json.loads(answer.read())["decision_id"])) == (200, True)
    assert connection.sock.version() == "TLSv1.3"
    connection.close()

    others = http.client.HTTPSConnection("127.0.0.1", port, timeout=20)
    with pytest.raises(ssl.SSLCertVerificationError):
        others.request("GET", "/live")
    others.close()
    old = ssl.create_default_context(cafile=cert)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_connection(("127.0.0.1", port)) as one, pytest.raises(ssl.SSLError):
        old.wrap_socket(one, server_hostname="127.0.0.1")
    with socket.create_connection(("127.0.0.1", port), timeout=20) as one:
        one.sendall(b"GET /live HTTP/1.1\r\nhost: a\r\n\r\n")
        assert b"HTTP/1.1 200" not in one.recv(1000)
    status, said = ended(process)
    assert status == 0
    assert "PRIVATE KEY" not in said
