"""Hashes of passwords and tokens, as stored in the users file.

People choose passwords, so they are hashed with scrypt, which is slow on purpose. A token is 256 random bits, which
nobody can guess, so SHA-256 is enough and allows a lookup by hash.
"""

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from typing import NamedTuple

_MOST_MEMORY_BYTES = 256 * 1024 * 1024
_MOST_WORK = 1 << 22
"""Of n * r * p, about a second."""
_SALT_BYTES, _HASH_BYTES = 16, 32
_SCRYPT, _SHA256 = "scrypt", "sha256"
TOKEN_PREFIX = "sgt_"
"""Lets people and secret scanners recognize a token."""


class InvalidHash(ValueError):
    """A text that is not the hash of a password or token."""


class Cost(NamedTuple):
    """Parameters of scrypt: they set the memory (n * r * 128 bytes) and time (n * r * p) of a hash."""

    n: int
    r: int
    p: int

    @property
    def is_possible(self) -> bool:
        """Whether scrypt accepts the parameters and they are within the limits."""
        return (
            self.n > 1
            and self.n & (self.n - 1) == 0
            and min(self.r, self.p) > 0
            and self.n * self.r * 128 <= _MOST_MEMORY_BYTES
            and self.n * self.r * self.p <= _MOST_WORK
        )


COST = Cost(1 << 15, 8, 1)
"""Used for new hashes, and for old hashes without parameters: 32 MiB and about 60 ms."""


class PasswordHash(NamedTuple):
    """Salted scrypt hash of one password."""

    salt: bytes
    digest: bytes
    cost: Cost = COST

    @staticmethod
    def of(password: str) -> "PasswordHash":
        """Hash a password with a new salt."""
        salt = os.urandom(_SALT_BYTES)
        return PasswordHash(salt, _scrypt(password, salt, COST))

    @staticmethod
    def parse(text: str) -> "PasswordHash":
        """Parse a hash written by `text`, also an old one without parameters.

        :raises InvalidHash: for anything else.
        """
        parts = text.split("$")
        if len(parts) not in (3, 6):
            raise _no_password_hash()
        kind, *cost, salt, digest = parts
        found = PasswordHash(_decoded(salt), _decoded(digest), _cost(cost) if cost else COST)
        if kind != _SCRYPT or len(found.digest) != _HASH_BYTES or not found.cost.is_possible:
            raise _no_password_hash()
        return found

    @property
    def text(self) -> str:
        """For the file."""
        content = [base64.b64encode(part).decode() for part in (self.salt, self.digest)]
        return "$".join([_SCRYPT, *map(str, self.cost), *content])

    def fits(self, password: str) -> bool:
        """Whether it is the hash of a password; takes long."""
        return hmac.compare_digest(self.digest, _scrypt(password, self.salt, self.cost))


def new_token() -> str:
    """Return a new random token."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """Of a token, for the file."""
    return f"{_SHA256}${hashlib.sha256(token.encode(errors='surrogateescape')).hexdigest()}"


def check_token_hash(text: str) -> None:
    """Refuse a text that is not a hash by `token_hash`.

    :raises InvalidHash: then.
    """
    kind, _, digest = text.partition("$")
    if kind != _SHA256 or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
        raise InvalidHash("expected the hash of a token as `streamgauge token` prints it")


def _scrypt(password: str, salt: bytes, cost: Cost) -> bytes:
    return hashlib.scrypt(
        password.encode(errors="surrogateescape"),
        salt=salt,
        n=cost.n,
        r=cost.r,
        p=cost.p,
        maxmem=128 * cost.r * (cost.n + cost.p + 2) + 1024 * 1024,
        dklen=_HASH_BYTES,
    )


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise _no_password_hash() from None


def _cost(texts: list[str]) -> Cost:
    if not all(text.isascii() and text.isdecimal() and len(text) < 10 for text in texts):
        raise _no_password_hash()
    return Cost(*map(int, texts))


def _no_password_hash() -> InvalidHash:
    return InvalidHash("expected the hash of a password as `streamgauge password` prints it")
