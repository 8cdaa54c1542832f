#!/usr/bin/env python3
"""Makes the test data in this folder with the real `model-signing`, and asks it about every change of it.

    tools=../../../tests/tools/build; $tools model-signing && "$(dirname "$($tools --path model-signing)")/python" make.py

It makes keys, throws the private ones away, and writes

- `*.pub`, `*.sig`: the public keys, and what `model-signing` signed;
- `fixtures.json`: the trees that were signed, and how;
- `cases.json`: each tree and signature changed in one place, and whether `model-signing` still verifies it;
- `hostile.json`: manifests that the tool would not write, signed all the same, and whether it verifies them.

Trees are kept as JSON because Git would not keep some of their files (`.git/config`), and would act on others.
"""

import base64
import copy
import datetime
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from model_signing import hashing, signing, verifying
from model_signing._signing import sign_sigstore_pb

HERE = pathlib.Path(__file__).parent
SIGNATURE = "model.sig"

TREE = {
    "config.json": '{"layers": 2}',
    "empty": "",
    # Sorted by segments, and not as text, `weights/…` comes before `weights-2.bin`.
    "weights-2.bin": "0123456789abcdef",
    "weights/model.bin": "0123456789abcdef0123456789abcdef!",
    "weights/part/z": "z",
    "wörter.txt": "ä",
}
FULL = {name: text for name, text in TREE.items() if text}
GIT = {".git/config": "[core]", ".gitattributes": "*.bin lfs", ".github/a": "a", ".gitignore": "x"}

FIXTURES = {
    "files-p256": {"tree": TREE, "key": "p256"},
    "files-p384": {"tree": TREE, "key": "p384"},
    "files-p521": {"tree": TREE, "key": "p521"},
    "shards": {"tree": FULL, "key": "p256", "method": "shards", "shard_size": 16},
    "shards-with-empty": {"tree": TREE, "key": "p256", "method": "shards", "shard_size": 7},
    "ignored": {"tree": FULL | GIT | {"notes/a": "n", "log.txt": "l"}, "key": "p256", "ignore": ["notes", "log.txt"]},
    "links": {"tree": FULL, "links": {"weights/link": "../config.json"}, "key": "p256", "allow_symlinks": True},
    "single": {"tree": {".": "0123456789abcdef!"}, "key": "p256"},
    "single-shards": {"tree": {".": "0123456789abcdef!"}, "key": "p256", "method": "shards", "shard_size": 16},
    "blake2b": {"tree": TREE, "key": "p256", "hash": "blake2"},
    "blake2b-shards": {"tree": FULL, "key": "p256", "hash": "blake2", "method": "shards", "shard_size": 16},
    "blake3": {"tree": TREE, "key": "p256", "hash": "blake3"},
    "certificate": {"tree": TREE, "certificate": True},
}


def config(fixture):
    """The hashing that a fixture asks for; ignores what the command line ignores."""
    made = hashing.Config()
    algorithm = fixture.get("hash", "sha256")
    if fixture.get("method") == "shards":
        # The size that the tool reads back is a float, with which it fails: so verifying gets the hashing told, too.
        made.use_shard_serialization(hashing_algorithm=algorithm, shard_size=fixture["shard_size"])
    else:
        made.use_file_serialization(hashing_algorithm=algorithm)
    made.set_ignored_paths(paths=[SIGNATURE, *fixture.get("ignore", [])])
    return made.set_allow_symlinks(fixture.get("allow_symlinks", False))


def write(folder, fixture):
    """The model's path, after writing its tree below the folder."""
    model = folder / "model"
    if "." in fixture["tree"]:
        model.write_text(fixture["tree"]["."])
        return model
    for name, text in fixture["tree"].items():
        path = model / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for name, target in fixture.get("links", {}).items():
        (model / name).symlink_to(target)
    return model


def change(model, what):
    """Applies one change to a written model. The Rust tests have the same."""
    op, *rest = what
    path = model if not rest or rest[0] == "." else model / rest[0]
    if op == "flip":
        data = bytearray(path.read_bytes())
        data[rest[1]] ^= 1
        path.write_bytes(data)
    elif op == "append":
        path.write_bytes(path.read_bytes() + b"\n")
    elif op == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif op == "remove":
        path.unlink()
    elif op == "rename":
        path.rename(model / rest[1])
    elif op == "swap":
        other = model / rest[1]
        one, two = path.read_bytes(), other.read_bytes()
        path.write_bytes(two)
        other.write_bytes(one)
    elif op == "add":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(rest[1])
    elif op == "folder":
        path.mkdir()
    elif op == "link":
        if path.exists():
            path.unlink()
        path.symlink_to(rest[1])
    elif op == "pipe":
        os.mkfifo(path)
    elif op != "none":
        raise ValueError(op)


def changes(fixture):
    """Every one place of a tree."""
    yield ["none"]
    names = sorted(fixture["tree"])
    for name in names:
        size = len(fixture["tree"][name].encode())
        for at in sorted({0, size // 2, size - 1} if size else []):
            yield ["flip", name, at]
        yield ["append", name]
        if size:
            yield ["cut", name]
        if name != ".":
            yield ["remove", name]
            yield ["rename", name, name + ".old"]
    if names == ["."]:
        return
    yield ["rename", "config.json", "Config.json"]
    yield ["rename", "config.json", "weights/config.json"]
    yield ["swap", "config.json", "weights-2.bin"]
    for name in [".git/hooks/x", ".gitignore", "weights/.git/x", ".github", ".gitattributes", "notes/b", "log.txt.old"]:
        if name not in fixture["tree"] and not any(n.startswith(name + "/") for n in names):
            yield ["add", name, "x"]
    for name in ["a", "weights/a", "zz/z", "weights.txt", ".hidden"]:
        yield ["add", name, "x"]
    yield ["add", "void", ""]
    yield ["folder", "void"]
    yield ["link", "link", "config.json"]
    yield ["link", "link", "weights"]
    yield ["link", "link", "nowhere"]
    yield ["link", "weights/part/z", "../../config.json"]
    yield ["link", "config.json", "../same-config.json"]
    yield ["pipe", "pipe"]


def signature_changes():
    """Every field of a signature."""
    for pointer in ["mediaType", "verificationMaterial/publicKey/hint", "dsseEnvelope/payload", "dsseEnvelope/payloadType"]:
        for at in [0, 40]:
            yield [pointer, at]
    for at in [0, 12, 30, 60]:
        yield ["dsseEnvelope/signatures/0/sig", at]


def bend(signature, pointer, at):
    """Changes one character of a field. The Rust tests have the same."""
    *way, last = pointer.split("/")
    holder = signature
    for step in way:
        holder = holder[int(step)] if step.isdigit() else holder[step]
    text = holder[last]
    at = min(at, len(text) - 1)
    holder[last] = text[:at] + ("B" if text[at] == "A" else "A") + text[at + 1 :]


def verdict(verifier, fixture, model, signature):
    """Whether the tool verifies, and what it says otherwise."""
    try:
        verifier().set_hashing_config(config(fixture)).verify(model, signature)
        return None
    except Exception as error:  # It has many kinds.
        return f"{type(error).__name__}: {error}"[:160]


class Keys:
    """Private keys, for as long as this runs."""

    def __init__(self, folder):
        self.folder = folder
        self.private = {}
        for name, curve in [("p256", ec.SECP256R1()), ("p384", ec.SECP384R1()), ("p521", ec.SECP521R1())]:
            key = ec.generate_private_key(curve)
            self.private[name] = key
            pem = serialization.Encoding.PEM
            public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
            (HERE / f"{name}.pub").write_bytes(public)
            plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            (folder / name).write_bytes(key.private_bytes(pem, *plain))
        self.certify()

    def certify(self):
        """A certificate for p256, by an authority of its own."""
        now = datetime.datetime.now(datetime.timezone.utc)
        authority = ec.generate_private_key(ec.SECP256R1())

        def certificate(name, key, is_authority):
            usage = dict.fromkeys(
                ["content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign"]
                + ["encipher_only", "decipher_only"], False,
            )
            builder = (
                x509.CertificateBuilder()
                .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
                .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "authority")]))
                .public_key(key.public_key())
                .serial_number(x509.random_serial_number())
                .not_valid_before(now)
                .not_valid_after(now + datetime.timedelta(days=3650))
                .add_extension(x509.BasicConstraints(is_authority, None), True)
                .add_extension(
                    x509.KeyUsage(digital_signature=not is_authority, key_cert_sign=is_authority, **usage), True
                )
            )
            signed = builder.sign(authority, hashes.SHA256())
            (self.folder / f"{name}.pem").write_bytes(signed.public_bytes(serialization.Encoding.PEM))

        certificate("authority", authority, True)
        certificate("leaf", self.private["p256"], False)

    def signer(self, fixture):
        if fixture.get("certificate"):
            return signing.Config().use_certificate_signer(
                private_key=self.folder / "p256",
                signing_certificate=self.folder / "leaf.pem",
                certificate_chain=[self.folder / "authority.pem"],
            )
        return signing.Config().use_elliptic_key_signer(private_key=self.folder / fixture["key"])

    def verifier(self, fixture):
        if fixture.get("certificate"):
            return verifying.Config().use_certificate_verifier(certificate_chain=[self.folder / "authority.pem"])
        return verifying.Config().use_elliptic_key_verifier(public_key=HERE / f"{fixture['key']}.pub")


def cases(name, fixture, keys, folder):
    """Signs the fixture, and asks about every change of it."""
    place = folder / name
    place.mkdir()
    model = write(place, fixture)
    signature = HERE / f"{name}.sig"
    keys.signer(fixture).set_hashing_config(config(fixture)).sign(model, signature)

    def fresh():
        shutil.rmtree(place)
        place.mkdir()
        (place / "same-config.json").write_text(TREE["config.json"])
        return write(place, fixture)

    for what in [["none"]] if fixture.get("certificate") else changes(fixture):
        model = fresh()
        change(model, what)
        says = verdict(lambda: keys.verifier(fixture), fixture, model, signature)
        yield {"fixture": name, "change": what, "verifies": says is None}
    if name in ("files-p256", "files-p384", "files-p521", "shards"):
        model = fresh()
        for pointer, at in signature_changes():
            bent = json.loads(signature.read_text())
            bend(bent, pointer, at)
            other = place / "bent.sig"
            other.write_text(json.dumps(bent))
            says = verdict(lambda: keys.verifier(fixture), fixture, model, other)
            yield {"fixture": name, "signature": [pointer, at], "verifies": says is None}


def statement(resources, **serialization_fields):
    """A statement in the tool's form over resources (name, algorithm, digest)."""
    digests = b"".join(bytes.fromhex(digest) for _, _, digest in resources)
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "model", "digest": {"sha256": hashlib.sha256(digests).hexdigest()}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False} | serialization_fields,
            "resources": [{"name": n, "algorithm": a, "digest": d} for n, a, d in resources],
        },
    }


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def hostile():
    """Manifests over a folder with the files `a` (content a) and `b/c` (content c)."""
    a, c = ("a", "sha256", sha256("a")), ("b/c", "sha256", sha256("c"))
    good = statement([a, c])

    def bent(pointer, value, base=good):
        made = copy.deepcopy(base)
        *way, last = pointer.split("/")
        holder = made
        for step in way:
            holder = holder[int(step)] if step.isdigit() else holder[step]
        holder[int(last) if last.isdigit() else last] = value
        return made

    def named(*names):
        return statement([(name, "sha256", sha256("a")) for name in names])

    def shards(*names, size=2):
        label = f"sha256-sharded-{size}"
        return statement([(n, label, sha256("a")) for n in names], method="shards", shard_size=size)

    yield "as written", good
    yield "duplicate name", statement([a, a, c])
    yield "duplicate name, other digest", statement([("a", "sha256", sha256("evil")), a, c])
    yield "unsorted", statement([c, a])
    yield "sorted as text", named("x-1", "x/1")
    yield "dot segment", statement([("./a", *a[1:]), c])
    yield "double slash", statement([a, ("b//c", *c[1:])])
    yield "trailing slash", statement([("a/", *a[1:]), c])
    yield "climbing name", named("../a")
    yield "climbing inside", named("b/../a")
    yield "absolute name", named("/etc/passwd")
    yield "backslash", named("b\\c")
    yield "NUL", named("a\0b")
    yield "newline", named("a\nb")
    yield "escape sequence", named("a\x1b[2Jb")
    yield "direction override", named("a\u202egpj.exe")
    yield "leading space", named(" a")
    yield "trailing space", named("a ")
    yield "trailing no-break space", named("b\u00a0/c")
    yield "empty name", named("")
    yield "long segment", named("a" * 256)
    yield "long name", named("/".join(["a" * 200] * 21))
    yield "single file among others", named(".", "a")
    yield "file is folder", named("a", "a/b")
    yield "case", named("A", "a")
    yield "case of folder", named("A/x", "a")
    yield "composition", named("e\u0301", "\u00e9")
    yield "sharp s", named("STRASSE", "stra\u00dfe")
    yield "no resources", statement([])
    yield "root of nothing", bent("subject/0/digest/sha256", sha256(""))
    yield "upper-case root", bent("subject/0/digest/sha256", good["subject"][0]["digest"]["sha256"].upper())
    yield "two subjects", bent("subject", good["subject"] * 2)
    yield "no subject", bent("subject", [])
    yield "subject without sha256", bent("subject/0/digest", {"sha512": "00"})
    yield "statement v0.1", bent("_type", "https://in-toto.io/Statement/v0.1")
    yield "another predicate", bent("predicateType", "https://model_signing/signature/v2.0")
    yield "predicate of 0.2", bent("predicateType", "https://model_signing/Digests/v0.1")
    yield "field in statement", bent("more", 1)
    yield "field in predicate", bent("predicate/more", 1)
    yield "field in serialization", bent("predicate/serialization/normalize", True)
    yield "field in resource", bent("predicate/resources/0/size", 1)
    yield "no resources field", bent("predicate", {"serialization": good["predicate"]["serialization"]})
    yield "method", bent("predicate/serialization/method", "tree")
    yield "hash type", bent("predicate/serialization/hash_type", "md5")
    yield "hash type sha512", bent("predicate/serialization/hash_type", "sha512")
    yield "links as text", bent("predicate/serialization/allow_symlinks", "false")
    yield "shard size for files", statement([a, c], shard_size=5)
    yield "other algorithm", bent("predicate/resources/0/algorithm", "sha1")
    yield "upper-case digest", bent("predicate/resources/0/digest", sha256("a").upper())
    yield "short digest", statement([("a", "sha256", sha256("a")[:62]), c])
    yield "empty digest", statement([("a", "sha256", ""), c])
    yield "digest is no hex", bent("predicate/resources/0/digest", "z" * 64)
    yield "ignored climbing", statement([a, c], ignore_paths=["../x"])
    yield "ignored everything", statement([a, c], ignore_paths=["."])
    yield "ignored absolute", statement([a, c], ignore_paths=["/x"])
    yield "ignored and listed", statement([a, c], ignore_paths=["a"])
    yield "ignored folder of listed", statement([a, c], ignore_paths=["b"])
    yield "ignored beside listed", statement([a, c], ignore_paths=["b-c", "a.txt", ".git"])
    yield "too many ignored", statement([a, c], ignore_paths=[f"x{number}" for number in range(1001)])
    yield "shards", shards("a:0:1", "b/c:0:2", "b/c:2:4", "b/c:4:5")
    yield "shards from later", shards("a:1:2")
    yield "shards with gap", shards("a:0:2", "a:3:4")
    yield "shards overlap", shards("a:0:2", "a:1:3")
    yield "shard twice", shards("a:0:2", "a:0:2")
    yield "shards in disorder", shards("a:2:4", "a:0:2")
    yield "short shard in the middle", shards("a:0:1", "a:1:3")
    yield "shard too long", shards("a:0:3")
    yield "empty shard", shards("a:0:0")
    yield "backward shard", shards("a:0:2", "a:2:1")
    yield "shard with sign", shards("a:+0:2")
    yield "shard with zeros", shards("a:00:2")
    yield "shard with space", shards("a: 0:2")
    yield "shard with underscore", shards("a:0:1_0", size=10)
    yield "shard beyond 64 bits", shards("a:0:18446744073709551616")
    yield "shard of a name with colon", shards("a:b:0:2")
    yield "no shard", shards("a")
    yield "shards of two files mixed", shards("a:0:2", "b:0:2", "a:2:4")
    yield "shards without size", statement([("a:0:2", "sha256-sharded-2", sha256("a"))], method="shards")
    yield "shard size 0", shards("a:0:0", size=0)
    yield "shard size negative", shards("a:0:2", size=-2)
    yield "shard size of other label", bent("predicate/serialization/shard_size", 3, shards("a:0:2"))
    yield "shard size with fraction", bent("predicate/serialization/shard_size", 2.5, shards("a:0:2"))
    yield "shard size as the tool writes", bent("predicate/serialization/shard_size", 2.0, shards("a:0:2"))
    yield "shard size as text", bent("predicate/serialization/shard_size", "2", shards("a:0:2"))
    b3 = statement([("a:0:2", "blake3-sharded-2", sha256("a"))], method="shards", shard_size=2, hash_type="blake3")
    yield "blake3 in shards", b3


def hostile_cases(keys, folder):
    """Signs what the tool would not write, and asks the tool, as its command line does."""
    place = folder / "hostile"
    fixture = {"tree": {"a": "a", "b/c": "c"}, "key": "p256"}
    place.mkdir()
    model = write(place, fixture)
    bundle = json.loads((HERE / "files-p256.sig").read_text())
    texts = [(name, json.dumps(made)) for name, made in hostile()]
    good = texts[0][1]
    texts.append(("predicate twice", good.replace('"predicate":', '"predicate": {}, "predicate":', 1)))
    texts.append(("method twice", good.replace('"method":', '"method": "shards", "method":', 1)))
    texts.append(("trailing text", good + "x"))
    for name, text in texts:
        message = sign_sigstore_pb.pae(text.encode())
        made = keys.private["p256"].sign(message, ec.ECDSA(hashes.SHA256()))
        bundle["dsseEnvelope"]["payload"] = base64.b64encode(text.encode()).decode()
        bundle["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(made).decode()
        signature = place / "hostile.sig"
        signature.write_text(json.dumps(bundle))
        says = verdict(lambda: keys.verifier(fixture), fixture, model, signature)
        yield {"name": name, "payload": text, "verifies": says is None}


def lines(items):
    return "[\n" + ",\n".join(json.dumps(item, ensure_ascii=True) for item in items) + "\n]\n"


def main():
    for old in [*HERE.glob("*.sig"), *HERE.glob("*.pub")]:
        old.unlink()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        keys = Keys(folder)
        made = [case for name, fixture in FIXTURES.items() for case in cases(name, fixture, keys, folder)]
        (HERE / "cases.json").write_text(lines(made))
        (HERE / "hostile.json").write_text(lines(hostile_cases(keys, folder)))
    (HERE / "fixtures.json").write_text(json.dumps(FIXTURES, indent=1) + "\n")


if __name__ == "__main__":
    main()
