"""Kingdee's signatures, as pure functions: for LoginBySign, and for the headers of every single call."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Literal
from urllib.parse import quote

Algorithm = Literal["sha256", "sha1"]

_MASK = b"0054f397c6234378b09ca7d3e5debce7"
"""Constant of the official Python SDK 8.2.0 (`encode_util`), which masks the second half of an application id."""
_MASKED_LENGTH = 32


def login_signature(parts: tuple[str, ...], algorithm: Algorithm = "sha256") -> str:
    """Hex digest of account set, user, application id, secret and time stamp, in byte order without a separator.

    V6.0 WebAPI manual, LoginBySign. Servers older than 8.0.0.202205 use SHA-1.
    """
    text = "".join(sorted(parts)).encode()
    return hashlib.new(algorithm, text).hexdigest()


def signed_headers(
    *, path: str, app_id: str, app_secret: str, app_data: str, timestamp: int, nonce: str
) -> dict[str, str]:
    """The headers that stand for a login in each call, as `BuildHeader` of the official SDK 8.2.0 makes them.

    `path` is the URL's path and query; `app_data` is account set, user, language and organisation with commas; the
    time stamp is in Unix seconds. The body is not signed.
    """
    client_id, _, masked = app_id.partition("_") if app_id.count("_") == 1 else ("", "", "")
    quoted = quote(path).replace("/", "%2F")
    to_sign = f"POST\n{quoted}\n\nx-api-nonce:{nonce}\nx-api-timestamp:{timestamp}\n"
    return {
        "X-Api-ClientID": client_id,
        "X-Api-Auth-Version": "2.0",
        "x-api-timestamp": str(timestamp),
        "x-api-nonce": nonce,
        "x-api-signheaders": "x-api-timestamp,x-api-nonce",
        "X-Api-Signature": _mac(_unmasked(masked), to_sign),
        "X-Kd-Appkey": app_id,
        "X-Kd-Appdata": base64.b64encode(app_data.encode()).decode(),
        "X-Kd-Signature": _mac(app_secret, app_id + app_data),
    }


def _mac(key: str, text: str) -> str:
    """Base64 of the hex text, not of the digest itself."""
    digest = hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()
    return base64.b64encode(digest.encode()).decode()


def _unmasked(masked: str) -> str:
    if len(masked) != _MASKED_LENGTH:
        return ""
    try:
        scrambled = base64.b64decode(masked, validate=True)
    except ValueError:
        return ""
    return base64.b64encode(bytes(a ^ b for a, b in zip(scrambled, _MASK, strict=False))).decode()
