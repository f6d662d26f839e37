"""One-time codes by time, as authenticator apps show them, and where one stands in a message.

RFC 6238 with what every app understands: six digits, steps of 30 seconds, SHA-1.
"""

from __future__ import annotations

import re
import unicodedata
from base64 import b32encode
from urllib.parse import quote, urlencode

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor import InvalidToken
from cryptography.hazmat.primitives.twofactor.totp import TOTP

DIGITS, STEP = 6, 30
DRIFT = 1  # steps that a phone's clock may be off either way
LONGEST_END = 200  # characters in which a code is looked for: a message may have any length
SECRET_BYTES = 20  # as many as SHA-1 gives, as RFC 4226 recommends
_DIGIT = "[0-9０-９]"
_NUMBERISH = "0-9０-９A-Za-zＡ-Ｚａ-ｚ._/-"  # six digits after one of these belong to a longer number
_MENTION = r"[@＠]\S+"
_WORD = r"(?:动态|验证|一次性)*(?:密码|口令|码)[是为]?|\b(?:code|otp|mã(?: xác thực| otp)?)(?: is| là)?"
_LAST = re.compile(
    rf"(?:(?:{_WORD})\s*[:：]?\s*|(?<![{_NUMBERISH}]))"
    rf"{_DIGIT}{{3}}[ \u00a0\u3000-]?{_DIGIT}{{3}}(?:[^\w@＠]|{_MENTION}(?=\s|\Z))*\Z",
    re.IGNORECASE,
)
_ALONE = re.compile(rf"\s*(?:{_DIGIT}\s*){{{DIGITS}}}")
_MENTIONS = re.compile(rf"\s*(?:{_MENTION}\s+)*")


def split(text: str) -> tuple[str, str]:
    """The message, and the end of it that may be a code, with the word for it; together they are `text`.

    The first is '' where there is nothing else but mentions; the second where nothing looks like a code.
    """
    lead = _lead(text)
    own = text[lead:]
    found = _LAST.search(own, max(len(own) - LONGEST_END, 0))
    if _ALONE.fullmatch(own) or (found and not any(one.isalnum() for one in own[: found.start()])):
        return "", text
    at = lead + found.start() if found else len(text)
    return text[:at], text[at:]


def digits(tail: str) -> str:
    """The code in what `split` found; '' where there is none."""
    own = unicodedata.normalize("NFKC", re.sub(_MENTION, " ", tail))
    found = "".join(one for one in own if one in "0123456789")
    return found if len(found) == DIGITS else ""


def steps(secret: bytes, code: str, at: float) -> list[int]:
    """The steps around `at` (Unix time) that a code is of, the earliest first. Each is compared in constant time."""
    now = int(at) // STEP
    return [step for step in range(now - DRIFT, now + DRIFT + 1) if step >= 0 and _is(secret, code, step)]


def code_at(secret: bytes, at: float) -> str:
    """What an app shows at `at`."""
    return _totp(secret).generate(int(at)).decode()


def address(secret: bytes, userid: str) -> str:
    """The `otpauth://` URI that apps take from a QR code (Google Authenticator's "Key Uri Format")."""
    plain = b32encode(secret).decode().rstrip("=")
    params = urlencode({"secret": plain, "issuer": "kdsync", "digits": DIGITS, "period": STEP})
    return f"otpauth://totp/{quote(f'kdsync:{userid}')}?{params}"


def _lead(text: str) -> int:
    """Where a message begins after those that it mentions."""
    found = _MENTIONS.match(text)
    return found.end() if found else 0


def _is(secret: bytes, code: str, step: int) -> bool:
    try:
        _totp(secret).verify(code.encode(), step * STEP)
    except InvalidToken:
        return False
    return True


def _totp(secret: bytes) -> TOTP:
    return TOTP(secret, DIGITS, SHA1(), STEP)  # noqa: S303  # what RFC 6238 and the apps have
