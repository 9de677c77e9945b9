"""The two keys that sign data stream deliveries (Adobe I/O Events, signature verification)."""

import base64
import uuid
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa


@dataclass(slots=True)
class Signing:
    """RSA keys in a folder, made when first needed; the public halves are served under `/prod/keys/`."""

    folder: Path
    _keys: dict[str, rsa.RSAPrivateKey] = field(default_factory=dict)

    def headers(self, body: bytes) -> dict[str, str]:
        """Both signatures over the raw body, and where the public keys are."""
        found: dict[str, str] = {}
        for number, (name, key) in enumerate(self._loaded().items(), start=1):
            signature = key.sign(body, padding.PKCS1v15(), hashes.SHA256())
            found[f"x-adobe-digital-signature-{number}"] = base64.b64encode(signature).decode()
            found[f"x-adobe-public-key{number}-path"] = f"/prod/keys/{name}"
        return found

    def public(self, name: str) -> bytes | None:
        key = self._loaded().get(name)
        if key is None:
            return None
        return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def _loaded(self) -> dict[str, rsa.RSAPrivateKey]:
        if not self._keys:
            self.folder.mkdir(parents=True, exist_ok=True)
            paths = sorted(self.folder.glob("pub-key-*.pem")) or [self._made() for _ in range(2)]
            for path in paths:
                key = serialization.load_pem_private_key(path.read_bytes(), None)
                if isinstance(key, rsa.RSAPrivateKey):
                    self._keys[path.name] = key
        return self._keys

    def _made(self) -> Path:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        path = self.folder / f"pub-key-{uuid.uuid4()}.pem"
        path.touch(mode=0o600)
        form = serialization.PrivateFormat.PKCS8
        path.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
        return path
