#!/usr/bin/env python3
"""Makes `certified-*.sig` in this folder: what `model_signing sign certificate` signs, with certificates of an authority whose
root is `certificate-roots.pem` and whose intermediate comes with the signatures. `make.py` says how to run it; the private
keys are thrown away.

- `certified-p256.sig`: by a certificate for ops@example.com
- `certified-p521.sig`: by one for a P-521 key and the common name "model team", with no other name
- `certified-client.sig`: by one for clients, and not for signing code
- `certified-expired.sig`: by one that was valid in 2020 only

All are over the tree of `files-p256` in `fixtures.json`; certificates are valid from 2020 to 2040 but for the last.
"""

import datetime
import json
import pathlib
import subprocess
import sys
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage

HERE = pathlib.Path(__file__).parent
TOOL = pathlib.Path(sys.executable).parent / "model_signing"
PEM = serialization.Encoding.PEM


def year(number):
    return datetime.datetime(number, 1, 1, tzinfo=datetime.timezone.utc)


class Party:
    """A key and a certificate for it, by itself or by an issuer."""

    def __init__(self, name, issuer=None, curve=None, until=2040, usage=None, email=None):
        self.key = ec.generate_private_key(curve or ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        issuer = issuer or self
        is_authority = usage is None
        others = dict.fromkeys(
            ["content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign"]
            + ["encipher_only", "decipher_only"], False,
        )
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(issuer.name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(year(2020))
            .not_valid_after(year(until))
            .add_extension(x509.BasicConstraints(is_authority, None), True)
            .add_extension(x509.KeyUsage(digital_signature=not is_authority, key_cert_sign=is_authority, **others), True)
        )
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), False)
        if email:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.RFC822Name(email)]), False)
        self.certificate = builder.sign(issuer.key, hashes.SHA256())

    def write(self, folder, name):
        plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (folder / f"{name}.key").write_bytes(self.key.private_bytes(PEM, *plain))
        (folder / f"{name}.pem").write_bytes(self.certificate.public_bytes(PEM))


def main():
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        root = Party("models root", curve=ec.SECP384R1())
        authority = Party("models authority", root)
        ops = {"issuer": authority, "email": "ops@example.com"}
        parties = {
            "p256": Party("ops", **ops, usage=Usage.CODE_SIGNING),
            "p521": Party("model team", authority, curve=ec.SECP521R1(), usage=Usage.CODE_SIGNING),
            "client": Party("ops", **ops, usage=Usage.CLIENT_AUTH),
            "expired": Party("ops", **ops, usage=Usage.CODE_SIGNING, until=2021),
        }
        for name, party in {"root": root, "authority": authority, **parties}.items():
            party.write(folder, name)
        for name, text in json.loads((HERE / "fixtures.json").read_text())["files-p256"]["tree"].items():
            path = folder / "model" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (HERE / "certificate-roots.pem").write_bytes((folder / "root.pem").read_bytes())
        for name in parties:
            signature = HERE / f"certified-{name}.sig"
            common = [str(folder / "model"), "--signature", str(signature), "--certificate_chain", "authority.pem"]
            sign = ["--private_key", f"{name}.key", "--signing_certificate", f"{name}.pem"]
            subprocess.run([TOOL, "sign", "certificate", *common, *sign], cwd=folder, check=True)
            verify = [TOOL, "verify", "certificate", *common, "--certificate_chain", "root.pem"]
            verdict = subprocess.run(verify, cwd=folder, capture_output=True)
            print(f"{name}: the tool {'verifies' if verdict.returncode == 0 else 'rejects'} it")


main()
