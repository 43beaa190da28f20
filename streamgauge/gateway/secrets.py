"""Passwords and tokens as they may lie in a file: hashes that tell neither.

A password is chosen by a person, so its hash is scrypt's, which is slow on purpose. A token is 256 random bits, which
nobody can guess, so SHA-256 does, and whose it is can be looked up.
"""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from typing import NamedTuple

_COST, _BLOCK, _PARALLEL = 1 << 15, 8, 1
"""n, r and p of scrypt: 32 MiB and some 60 ms."""
_MEMORY_BYTES = 64 * 1024 * 1024
_SALT_BYTES, _HASH_BYTES = 16, 32
_SCRYPT, _SHA256 = "scrypt", "sha256"
TOKEN_PREFIX = "sgt_"
"""So that people and scanners know one when they see it."""


class InvalidHash(ValueError):
    """A text that is no hash of a password or token."""


class PasswordHash(NamedTuple):
    """Of one password."""

    salt: bytes
    digest: bytes

    @staticmethod
    def of(password: str) -> "PasswordHash":
        """With a new salt."""
        salt = os.urandom(_SALT_BYTES)
        return PasswordHash(salt, _scrypt(password, salt))

    @staticmethod
    def parse(text: str) -> "PasswordHash":
        """Read what `text` gave.

        :raises InvalidHash: for anything else.
        """
        kind, *parts = text.split("$")
        if kind != _SCRYPT or len(parts) != 2:
            raise InvalidHash("a password's hash is what `streamgauge password` prints")
        salt, digest = (_decoded(part) for part in parts)
        if len(digest) != _HASH_BYTES:
            raise InvalidHash("a password's hash is what `streamgauge password` prints")
        return PasswordHash(salt, digest)

    @property
    def text(self) -> str:
        """For the file."""
        return "$".join([_SCRYPT, *(base64.b64encode(part).decode() for part in self)])

    def fits(self, password: str) -> bool:
        """Whether it is the hash of a password; takes long."""
        return hmac.compare_digest(self.digest, _scrypt(password, self.salt))


def new_token() -> str:
    """A token that nobody has."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """Of a token, for the file."""
    return f"{_SHA256}${hashlib.sha256(token.encode(errors='surrogateescape')).hexdigest()}"


def check_token_hash(text: str) -> None:
    """Refuse what `token_hash` never gives.

    :raises InvalidHash: then.
    """
    kind, _, digest = text.partition("$")
    if kind != _SHA256 or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise InvalidHash("a token's hash is what `streamgauge token` prints")


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(
        password.encode(errors="surrogateescape"),
        salt=salt,
        n=_COST,
        r=_BLOCK,
        p=_PARALLEL,
        maxmem=_MEMORY_BYTES,
        dklen=_HASH_BYTES,
    )


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise InvalidHash("a password's hash is what `streamgauge password` prints") from None
