"""TLS of the worker's own: a certificate and its key, read at the start and again when they are renewed."""

from __future__ import annotations

import datetime as dt
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from workflow_studio.worker.settings import WorkerSettings


class TlsError(Exception):
    """The certificate or its key cannot be used.

    Args:
        message: What is wrong.
        recovery: What to do about it.
    """

    def __init__(self, message: str, recovery: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.recovery = recovery
        self.code = "invalid_certificate"


def load(context: ssl.SSLContext, settings: WorkerSettings) -> None:
    """Have a context use the certificate and key of the settings.

    Raises:
        TlsError: If they cannot be read, or do not belong together.
    """
    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is None or key is None:
        return
    for path in (certificate, key):
        try:
            path.read_bytes()
        except OSError as error:
            raise TlsError(
                f"{path} cannot be read: {error.strerror}.", "The worker's user must be able to read it."
            ) from error
    secret = settings.tls_key_password

    def password() -> str:
        # Asked for only where the key is encrypted; without this, OpenSSL would ask on the terminal.
        return "" if secret is None else secret.get_secret_value()

    try:
        context.load_cert_chain(certificate, key, password)
    except (ssl.SSLError, ValueError) as error:
        raise TlsError(
            f"The certificate {certificate} and the key {key} cannot be used together.",
            "Both must be PEM, the certificate with those between it and the root, and the key must be its own; "
            "an encrypted one needs TLS_KEY_PASSWORD.",
        ) from error


def days_left(certificate: Path) -> float:
    """Return for how many days a certificate holds.

    Raises:
        ValueError: If it is none.
    """
    # Loaded only by workers that have a certificate: it takes 2 MB.
    from cryptography import x509  # noqa: PLC0415

    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    return (found.not_valid_after_utc - dt.datetime.now(dt.UTC)) / dt.timedelta(days=1)
