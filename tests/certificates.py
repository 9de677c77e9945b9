"""An authority of the tests' own, and what it signs: a server's and a client's certificate, as PEM files."""

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

_PLAIN = serialization.NoEncryption()


@dataclass(frozen=True, kw_only=True)
class Papers:
    """`identity`: key and certificate in one file."""

    authority: Path
    server_certificate: Path
    server_key: Path
    server_identity: Path
    client_certificate: Path
    client_key: Path
    stranger: Path
    """An authority that has signed nothing here."""


def made(folder: Path, client: str) -> Papers:
    """All of it, for a server on this machine and a client of that name."""
    folder.mkdir(parents=True, exist_ok=True)
    key, root = _authority("Tandem's tests")
    _, stranger = _authority("Somebody else")
    server, client_pair = _signed("localhost", key, root), _signed(client, key, root)
    return Papers(
        authority=_write(folder / "authority.pem", root),
        stranger=_write(folder / "stranger.pem", stranger),
        server_certificate=_write(folder / "server.pem", server[1]),
        server_key=_write(folder / "server.key", server[0]),
        server_identity=_write(folder / "server-identity.pem", server[0], server[1]),
        client_certificate=_write(folder / "client.pem", client_pair[1]),
        client_key=_write(folder / "client.key", client_pair[0]),
    )


def _authority(name: str) -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    own = _name(name)
    usage = x509.KeyUsage(
        digital_signature=True, key_cert_sign=True, crl_sign=True, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    built = _builder(own, own, key).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return key, built.add_extension(usage, critical=True).sign(key, hashes.SHA256())


def _signed(name: str, by: rsa.RSAPrivateKey, root: x509.Certificate) -> tuple[rsa.RSAPrivateKey, x509.Certificate]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    places = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    built = _builder(_name(name), root.subject, key).add_extension(x509.SubjectAlternativeName(places), critical=False)
    return key, built.sign(by, hashes.SHA256())


def _builder(subject: x509.Name, issuer: x509.Name, key: rsa.RSAPrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(tz=UTC)
    begun = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    numbered = begun.serial_number(x509.random_serial_number())
    return numbered.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=2))


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _write(file: Path, *parts: x509.Certificate | rsa.RSAPrivateKey) -> Path:
    file.touch(mode=0o600)
    file.write_bytes(b"".join(_pem(part) for part in parts))
    return file


def _pem(part: x509.Certificate | rsa.RSAPrivateKey) -> bytes:
    if isinstance(part, x509.Certificate):
        return part.public_bytes(serialization.Encoding.PEM)
    return part.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, _PLAIN)
