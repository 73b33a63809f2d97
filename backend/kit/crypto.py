"""How personal data lies in the database: found by keyed digest, shown from sealed columns.

Each citizen has data keys of their own, wrapped by the key-encryption key (KEK). A sealed column
holds nonce and AES-256-GCM (or SM4-GCM) ciphertext, bound to its place by the associated data
"table|column|row", so a value copied to another row does not open. Erasure destroys the wrapped
data key, and what it sealed stays closed for ever. A backup made before still holds that key,
wrapped: it closes when the backup goes, or the KEK (ADR 0005).
"""

import base64
import hashlib
import hmac
import os
from typing import Protocol
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from backend.kit.ids import subject_id_from

KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16
_WRAP_AAD = b"data_key"


class SealBroken(Exception):
    """A sealed value does not open: another key, another place, or tampered with."""


class _Cipher(Protocol):
    key_bytes: int

    def encrypt(self, key: bytes, plaintext: bytes, aad: bytes) -> bytes: ...

    def decrypt(self, key: bytes, sealed: bytes, aad: bytes) -> bytes: ...

    def digest(self, key: bytes, message: bytes) -> bytes: ...


class _International:
    """AES-256-GCM and HMAC-SHA-256."""

    key_bytes = 32

    def encrypt(self, key: bytes, plaintext: bytes, aad: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(key).encrypt(nonce, plaintext, aad)

    def decrypt(self, key: bytes, sealed: bytes, aad: bytes) -> bytes:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], aad)

    def digest(self, key: bytes, message: bytes) -> bytes:
        return hmac.digest(key, message, hashlib.sha256)


class _Chinese:
    """SM4-GCM (GB/T 32907, GB/T 36624) and HMAC-SM3 (GB/T 32905)."""

    key_bytes = 16

    def encrypt(self, key: bytes, plaintext: bytes, aad: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)
        encryptor = Cipher(algorithms.SM4(key), modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(aad)
        return nonce + encryptor.update(plaintext) + encryptor.finalize() + encryptor.tag

    def decrypt(self, key: bytes, sealed: bytes, aad: bytes) -> bytes:
        nonce, body, tag = (
            sealed[:_NONCE_BYTES],
            sealed[_NONCE_BYTES:-_TAG_BYTES],
            sealed[-_TAG_BYTES:],
        )
        decryptor = Cipher(algorithms.SM4(key), modes.GCM(nonce, tag)).decryptor()
        decryptor.authenticate_additional_data(aad)
        return decryptor.update(body) + decryptor.finalize()

    def digest(self, key: bytes, message: bytes) -> bytes:
        mac = HMAC(key, hashes.SM3())
        mac.update(message)
        return mac.finalize()


PROFILES: dict[str, type[_Cipher]] = {"international": _International, "gm": _Chinese}


class Vault:
    """Seals, opens and digests; the only object that ever holds the service's secret keys."""

    def __init__(self, *, kek: bytes, digest_key: bytes, profile: str = "international") -> None:
        assert len(kek) == KEY_BYTES, "the key-encryption key has 32 bytes"
        assert len(digest_key) == KEY_BYTES, "the digest key has 32 bytes"
        self._cipher = PROFILES[profile]()
        self._kek = _derive(kek, b"creditplus/kek", self._cipher.key_bytes)
        self._carried_key = _derive(kek, b"creditplus/carried", self._cipher.key_bytes)
        self._signing_secret = _derive(kek, b"creditplus/signing", KEY_BYTES)
        self._digest_key = _derive(digest_key, b"creditplus/digest", KEY_BYTES)

    def digest(self, purpose: str, value: str) -> bytes:
        """Return the 32-byte keyed digest of `value`; digests of other purposes never match."""
        # The length first: ("ab", "c") and ("a", "bc") must not be one message.
        name = purpose.encode()
        message = len(name).to_bytes(2) + name + value.encode()
        return self._cipher.digest(self._digest_key, message)

    def subject_id(self, national_id: str) -> UUID:
        """Return the pseudonymous subject id of a (normalised) national id."""
        return subject_id_from(self.digest("subject", national_id))

    def pairwise(self, subject_id: UUID, partner_id: UUID) -> str:
        """Return the identifier one partner knows a citizen by (OpenID Connect Core 8.1).

        Two partners can't tell that they serve the same citizen by comparing identifiers.
        """
        digest = self.digest("pairwise", f"{partner_id}|{subject_id}")
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def new_data_key(self) -> bytes:
        """Return a fresh data key wrapped by the KEK. Keep it to open, destroy it to erase."""
        return self._cipher.encrypt(self._kek, os.urandom(self._cipher.key_bytes), _WRAP_AAD)

    def seal(self, data_key: bytes, plaintext: bytes, *, aad: str) -> bytes:
        """Seal `plaintext` under a wrapped data key for the place `aad` ("table|column|row")."""
        return self._cipher.encrypt(self._unwrap(data_key), plaintext, aad.encode())

    def unseal(self, data_key: bytes, sealed: bytes, *, aad: str) -> bytes:
        """Open what `seal` sealed for the same place, or raise SealBroken."""
        key = self._unwrap(data_key)
        return self._opened(key, sealed, aad.encode(), aad.partition("|")[0])

    def seal_service(self, plaintext: bytes, *, aad: str) -> bytes:
        """Seal something that belongs to the service and not to one citizen, under the KEK."""
        return self._cipher.encrypt(self._kek, plaintext, b"service|" + aad.encode())

    def unseal_service(self, sealed: bytes, *, aad: str) -> bytes:
        """Open what `seal_service` sealed for the same place, or raise SealBroken."""
        return self._opened(self._kek, sealed, b"service|" + aad.encode(), aad.partition("|")[0])

    def seal_carried(self, plaintext: bytes, *, aad: str) -> bytes:
        """Seal what a stranger carries for us and brings back.

        Under a key of its own: strangers can have as much sealed as they like, and a GCM key is
        good for so many nonces only (NIST SP 800-38D section 8.3: 2^32 random ones).
        """
        return self._cipher.encrypt(self._carried_key, plaintext, aad.encode())

    def unseal_carried(self, sealed: bytes, *, aad: str) -> bytes:
        """Open what `seal_carried` sealed with the same `aad`, or raise SealBroken."""
        return self._opened(self._carried_key, sealed, aad.encode(), aad.partition("|")[0])

    def signing_key(self, label: str) -> Ed25519PrivateKey:
        """Return the key that the service signs with for one use, the same for ever.

        Derived from the KEK, so there is nothing to store; who has the KEK can sign.
        """
        return Ed25519PrivateKey.from_private_bytes(
            _derive(self._signing_secret, b"creditplus/sign/" + label.encode(), KEY_BYTES)
        )

    def _unwrap(self, data_key: bytes) -> bytes:
        return self._opened(self._kek, data_key, _WRAP_AAD, "data_key")

    def _opened(self, key: bytes, sealed: bytes, aad: bytes, what: str) -> bytes:
        try:
            return self._cipher.decrypt(key, sealed, aad)
        except (InvalidTag, ValueError):
            raise SealBroken(what) from None


def _derive(secret: bytes, label: bytes, length: int) -> bytes:
    """HKDF (RFC 5869): one secret of the operator, one key a use."""
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=label).derive(secret)
