#!/usr/bin/env python3
"""Makes `chain.json` and `chain_root.json` in this folder: a signature whose certificate comes from an intermediate that no
trust root names. The intermediate comes along with the signature, and the root of `chain_root.json` issued it, as somebody
who has that root's key could. Run it with Python's `cryptography` and with openssl; the private keys are thrown away.

Signed when it was made, by release@example.com, over the statement of the other bundles; a timestamp, no log.
"""

import base64
import datetime
import hashlib
import json
import pathlib
import subprocess
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage
from cryptography.x509.oid import NameOID

HERE = pathlib.Path(__file__).parent
NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
ISSUER = b"https://issuer.example.com"
FULCIO = "1.3.6.1.4.1.57264.1."
TYPE = "application/vnd.in-toto+json"
CODE = (x509.ExtendedKeyUsage([Usage.CODE_SIGNING]), False)
TIME = (x509.ExtendedKeyUsage([Usage.TIME_STAMPING]), True)


def named(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)] if text else [])


class Party:
    """A key and its certificate, which another party issued; its own where there is none."""

    def __init__(self, name, issuer=None, extensions=(), lasts=datetime.timedelta(days=3650)):
        by = issuer or self
        self.name, self.key = name, ec.generate_private_key(ec.SECP256R1())
        is_authority = CODE in extensions and bool(name) or issuer is None
        certificate = (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named(by.name))
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - datetime.timedelta(minutes=5))
            .not_valid_after(NOW + lasts)
            .add_extension(x509.BasicConstraints(is_authority, None), True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.key.public_key()), False)
        )
        for extension, is_critical in extensions:
            certificate = certificate.add_extension(extension, is_critical)
        self.certificate = certificate.sign(by.key, hashes.SHA256())

    def json(self):
        return {"rawBytes": base64.b64encode(self.certificate.public_bytes(serialization.Encoding.DER)).decode()}


def own(number, value):
    return (x509.UnrecognizedExtension(x509.ObjectIdentifier(FULCIO + number), value), False)


def timestamp(party, signature):
    pem = serialization.Encoding.PEM
    with tempfile.TemporaryDirectory() as folder:
        at = pathlib.Path(folder)
        (at / "signature").write_bytes(signature)
        (at / "serial").write_text("01\n")
        (at / "tsa.pem").write_bytes(party.certificate.public_bytes(pem))
        (at / "tsa.key").write_bytes(
            party.key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        (at / "conf").write_text(
            "[tsa]\ndefault_tsa = t\n[t]\nserial = serial\nsigner_cert = tsa.pem\nsigner_key = tsa.key\n"
            "signer_digest = sha256\ndefault_policy = 1.2.3.4\ndigests = sha256\ness_cert_id_alg = sha256\n"
        )
        for words in (
            "-query -data signature -sha256 -cert -no_nonce -out query",
            "-reply -config conf -queryfile query -out reply",
        ):
            subprocess.run(["openssl", "ts", *words.split()], cwd=folder, check=True, stderr=subprocess.DEVNULL)
        return base64.b64encode((at / "reply").read_bytes()).decode()


root = Party("root")
listed = Party("listed intermediate", root, [CODE])
unlisted = Party("unlisted intermediate", root, [CODE])
signer = Party(
    "",
    unlisted,
    [
        CODE,
        (x509.SubjectAlternativeName([x509.RFC822Name("release@example.com")]), True),
        own("1", ISSUER),
        own("8", b"\x0c" + bytes([len(ISSUER)]) + ISSUER),
    ],
    datetime.timedelta(minutes=5),
)
clock_root = Party("clock root")
clock = Party("clock", clock_root, [TIME])

statement = json.dumps(
    {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"digest": {"sha256": hashlib.sha256(b"the manifest").hexdigest()}}],
        "predicateType": "https://sigstore.dev/cosign/sign/v1",
        "predicate": {},
    }
).encode()
message = f"DSSEv1 {len(TYPE)} {TYPE} {len(statement)} ".encode() + statement
signature = signer.key.sign(message, ec.ECDSA(hashes.SHA256()))
bundle = {
    "mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.2",
    "verificationMaterial": {
        "x509CertificateChain": {"certificates": [signer.json(), unlisted.json()]},
        "tlogEntries": [],
        "timestampVerificationData": {"rfc3161Timestamps": [{"signedTimestamp": timestamp(clock, signature)}]},
    },
    "dsseEnvelope": {
        "payload": base64.b64encode(statement).decode(),
        "payloadType": TYPE,
        "signatures": [{"sig": base64.b64encode(signature).decode()}],
    },
}


def authority(name, *chain):
    start = (NOW - datetime.timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "subject": {"organization": "example.com", "commonName": name},
        "uri": f"https://{name}.example.com",
        "certChain": {"certificates": [party.json() for party in chain]},
        "validFor": {"start": start},
    }


trusted = {
    "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
    "tlogs": [],
    "ctlogs": [],
    "certificateAuthorities": [authority("fulcio", listed, root)],
    "timestampAuthorities": [authority("clock", clock, clock_root)],
}
(HERE / "chain.json").write_text(json.dumps(bundle, indent=1) + "\n")
(HERE / "chain_root.json").write_text(json.dumps(trusted, indent=1) + "\n")
