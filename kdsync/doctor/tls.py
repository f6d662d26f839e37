"""The certificate of a server: whether it is trusted, for how long, and if not, what it really is."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID

from kdsync.clock import Clock
from kdsync.doctor.finding import FAILED, OK, WARNING, Finding

SECONDS = 5.0
SOON = 14  # days
NOT_YET, EXPIRED, SELF_SIGNED, UNKNOWN_ISSUER, WRONG_NAME = (9,), (10,), (18,), (19, 20, 21, 2), (62, 64)
"""Codes of OpenSSL, X509_V_ERR_…"""


def certificate(what: str, place: tuple[str, int], address: str, bundle: str, clock: Clock) -> Finding:
    """Shake hands with `address` for the host of `place`, trusting the certificates of `bundle` (a file or folder)."""
    try:
        trusted = _trusting(bundle)
    except (OSError, ssl.SSLError):
        cure = "it must be a PEM file, with -----BEGIN CERTIFICATE-----"
        return Finding(what, FAILED, f"{bundle} holds no certificates that can be read", cure)
    try:
        with _shaken(place, address, trusted) as secured:
            version, shown = secured.version(), secured.getpeercert(binary_form=True)
    except ssl.SSLCertVerificationError as error:
        return _distrusted(what, place, address, error)
    except ssl.SSLError as error:
        cure = "the address should perhaps begin with http://, or the port is that of something else"
        return Finding(what, FAILED, f"{place[0]}:{place[1]} does not speak TLS: {_words(error)}", cure)
    except OSError as error:
        cure = "a firewall that looks into connections, or a server that hangs: ask who runs them"
        reason = f"nothing within {SECONDS:.0f} s" if isinstance(error, TimeoutError) else str(error.strerror or error)
        return Finding(what, FAILED, f"{place[0]}:{place[1]} takes the connection, then {reason}", cure)
    return _good(what, version or "", shown or b"", clock)


def _good(what: str, version: str, shown: bytes, clock: Clock) -> Finding:
    found = x509.load_der_x509_certificate(shown)
    ends = found.not_valid_after_utc
    days = (ends - clock.now()).days
    detail = f"{version}, certificate of {_issuer(found)} until {ends:%Y-%m-%d} ({days} days)"
    if days < SOON:
        return Finding(what, WARNING, detail, "have the server's certificate renewed before that day")
    return Finding(what, OK, detail)


def _distrusted(what: str, place: tuple[str, int], address: str, error: ssl.SSLCertVerificationError) -> Finding:
    code, shown = error.verify_code, _shown(place, address)
    is_for = f"; it is for {', '.join(_names(shown)) or 'nobody'}, by {_issuer(shown)}" if shown else ""
    until = f" since {shown.not_valid_after_utc:%Y-%m-%d}" if shown else ""
    if code in EXPIRED:
        return Finding(what, FAILED, f"the certificate has expired{until}", "have the server's certificate renewed")
    if code in NOT_YET:
        cure = "set this machine's clock (NTP): timedatectl"
        return Finding(what, FAILED, "the certificate is not valid yet, or this machine's clock is behind", cure)
    if code in WRONG_NAME:
        cure = "write the name that the certificate is for into the configuration, or have one made for this name"
        return Finding(what, FAILED, f"the certificate is not for {place[0]}{is_for}", cure)
    who = "signed by itself" if code in SELF_SIGNED else "of an authority this machine does not know"
    cure = (
        "put the certificate of your company's authority (or of a proxy that opens connections) into a PEM file and "
        "set kingdee.ca_file, for DingTalk REQUESTS_CA_BUNDLE; if the server sends no chain, have it completed"
    )
    if code in (*SELF_SIGNED, *UNKNOWN_ISSUER):
        return Finding(what, FAILED, f"the certificate is {who}{is_for}", cure)
    return Finding(what, FAILED, f"the certificate is not trusted: {error.verify_message}{is_for}", cure)


def _trusting(bundle: str) -> ssl.SSLContext:
    folder = Path(bundle).is_dir()
    return ssl.create_default_context(cafile=None if folder else bundle, capath=bundle if folder else None)


@contextmanager
def _shaken(place: tuple[str, int], address: str, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    with (
        socket.create_connection((address, place[1]), SECONDS) as plain,
        context.wrap_socket(plain, server_hostname=place[0]) as secured,
    ):
        yield secured


def _shown(place: tuple[str, int], address: str) -> x509.Certificate | None:
    """The certificate that was not trusted, to tell what it is; nothing is sent over that connection."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with _shaken(place, address, context) as secured:
            return x509.load_der_x509_certificate(secured.getpeercert(binary_form=True) or b"")
    except (OSError, ValueError):
        return None


def _names(shown: x509.Certificate) -> list[str]:
    try:
        found = shown.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
        return [str(name.value) for name in found][:5]  # type: ignore[attr-defined]  # iterable for this extension
    except (x509.ExtensionNotFound, ValueError):
        return [str(item.value) for item in shown.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]


def _issuer(shown: x509.Certificate) -> str:
    for oid in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME):
        for item in shown.issuer.get_attributes_for_oid(oid):
            return str(item.value)
    return "an unnamed authority"


def _words(error: ssl.SSLError) -> str:
    return (error.reason or "no handshake").replace("_", " ").lower()
