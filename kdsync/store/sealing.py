"""Documents and messages at rest: plain JSON, or AES-256-GCM under the key of `store.key`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from kdsync import exact
from kdsync.errors import StoreError

MARK = b"\x01"  # no JSON text begins with it
NONCE = 12
DAMAGED = "what is stored here is damaged"


class Seal:
    """Turns raw values into stored bytes and back. Without a key the bytes are the JSON itself."""

    def __init__(self, key: str | None = None, nonce: Callable[[int], bytes] = os.urandom) -> None:
        self._cipher = AESGCM(sha256(key.encode()).digest()) if key else None
        self._nonce = nonce

    @classmethod
    def of(cls, key: SecretStr | None) -> Seal:
        """As store.key of the configuration has it."""
        return cls(key.get_secret_value() if key else None)

    def close(self, value: Any) -> bytes:
        """The stored form of a JSON value."""
        return self.close_bytes(exact.dumps(value))

    def open(self, stored: bytes) -> Any:
        """The JSON value behind stored bytes. Raises StoreError where they are damaged, or the key is another one."""
        return _parsed(self.open_bytes(stored))

    def open_all(self, stored: Sequence[bytes]) -> list[Any]:
        """The JSON values behind many stored bytes, parsed in one go. Raises StoreError as `open` does."""
        values = list(_parsed(b"[%b]" % b",".join(map(self.open_bytes, stored))))
        if len(values) != len(stored):
            raise StoreError(DAMAGED)
        return values

    def close_bytes(self, data: bytes) -> bytes:
        """The stored form of bytes."""
        if self._cipher is None:
            return data
        nonce = self._nonce(NONCE)
        return MARK + nonce + self._cipher.encrypt(nonce, data, None)

    def open_bytes(self, stored: bytes) -> bytes:
        """The bytes behind the stored form. Raises StoreError where the key is missing or another one."""
        if not stored.startswith(MARK):
            return stored
        if self._cipher is None:
            raise StoreError("the store holds sealed rows: set store.key to the key that sealed them")
        try:
            return self._cipher.decrypt(stored[1 : 1 + NONCE], stored[1 + NONCE :], None)
        except (InvalidTag, ValueError):  # the latter where not even the nonce is whole
            raise StoreError("store.key is not the key that this was sealed with, or it is damaged") from None


def _parsed(data: bytes) -> Any:
    try:
        return exact.loads(data)
    except ValueError:
        raise StoreError(DAMAGED) from None
