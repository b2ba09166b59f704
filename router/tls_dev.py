"""A self-signed certificate for this machine, for trying wss:// and microphones in a browser. Not for production."""

import datetime as dt
import ipaddress
import os
from pathlib import Path

VALID_DAYS = 30


def dev_certificate(folder: Path, *, now: dt.datetime | None = None) -> tuple[Path, Path]:
    """Certificate and key files (PEM) for localhost, 127.0.0.1 and ::1; made anew when they run out within a day."""
    from cryptography import x509  # noqa: PLC0415  only --tls-dev needs it

    today = now or dt.datetime.now(dt.UTC)
    certificate, key = folder / "dev-certificate.pem", folder / "dev-key.pem"
    if certificate.exists() and key.exists():
        held = x509.load_pem_x509_certificate(certificate.read_bytes())
        if held.not_valid_after_utc - today > dt.timedelta(days=1):
            return certificate, key
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _write(certificate, key, today)
    return certificate, key


def _write(certificate: Path, key: Path, today: dt.datetime) -> None:
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID  # noqa: PLC0415

    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "realtime-router development")])
    addresses = [x509.IPAddress(ipaddress.ip_address(text)) for text in ("127.0.0.1", "::1")]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(minutes=5))
        .not_valid_after(today + dt.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost"), *addresses]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )
    text = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(text)
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
