"""Client side of SCRAM (RFC 5802) without channel binding, as used by Kafka."""

import base64
import binascii
import hashlib
import hmac
import secrets

_HASHES = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-512": "sha512"}
_BIND = base64.b64encode(b"n,,").decode()
FEWEST_ROUNDS, MOST_ROUNDS = 4096, 1_000_000
"""Bounds of the server's iteration count: Kafka's minimum, and some tenths of a second."""


class Refused(ValueError):
    """The server's message is invalid or its signature is wrong."""


class Scram:
    """One login. `first`, then `final` with the server's answer, then `check` with its last one."""

    def __init__(self, mechanism: str, user: str, password: str, nonce: str = "") -> None:
        self._hash = _HASHES[mechanism]
        self._password = password.encode()
        self._nonce = nonce or secrets.token_urlsafe(24)
        name = user.replace("=", "=3D").replace(",", "=2C")
        self._bare = f"n={name},r={self._nonce}"
        self._signature = b""

    def first(self) -> bytes:
        """The client's first message."""
        return f"n,,{self._bare}".encode()

    def final(self, server_first: bytes) -> bytes:
        """The client's proof that it knows the password.

        :raises Refused: for an answer to another login, or one that asks for too little or too much work.
        """
        fields = _fields(server_first)
        nonce = fields.get("r", "")
        if not nonce.startswith(self._nonce) or nonce == self._nonce:
            raise Refused("the server's nonce is that of another login")
        try:
            salt, rounds = base64.b64decode(fields["s"], validate=True), int(fields["i"])
        except (KeyError, ValueError, binascii.Error):
            raise Refused("the server's first message is malformed") from None
        if not FEWEST_ROUNDS <= rounds <= MOST_ROUNDS:
            raise Refused(f"the server's iteration count {rounds} is out of bounds")
        salted = hashlib.pbkdf2_hmac(self._hash, self._password, salt, rounds)
        unproved = f"c={_BIND},r={nonce}"
        exchange = b",".join([self._bare.encode(), server_first, unproved.encode()])
        key = self._mac(salted, b"Client Key")
        signature = self._mac(hashlib.new(self._hash, key).digest(), exchange)
        self._signature = self._mac(self._mac(salted, b"Server Key"), exchange)
        proof = bytes(left ^ right for left, right in zip(key, signature, strict=True))
        return f"{unproved},p={base64.b64encode(proof).decode()}".encode()

    def check(self, server_final: bytes) -> None:
        """Make sure that the server knows the password too.

        :raises Refused: if it does not.
        """
        wanted = base64.b64encode(self._signature).decode()
        if not self._signature or not hmac.compare_digest(
            _fields(server_final).get("v", "").encode(), wanted.encode()
        ):
            raise Refused("the server sent no valid signature: it does not know the password")

    def _mac(self, key: bytes, message: bytes) -> bytes:
        return hmac.digest(key, message, self._hash)


def _fields(message: bytes) -> dict[str, str]:
    parts = (part.partition("=") for part in message.decode(errors="replace").split(","))
    return {name: value for name, _, value in parts}
