"""Signatures of models: the reference tool verifies ours, we verify its, what was changed is refused by name."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from models_kit import model_folder

from selat.core.errors import Misused, ModelRefused
from selat.models import ModelFile
from selat.models.blobs import digest_file
from selat.models.folder import look
from selat.models.signature import Manifest, manifest_of, statement
from selat.models.signers import SignerUnknown, Trust, read_signer, read_trust

THEIRS = Path(__file__).parents[3] / ".make" / "signing" / "bin" / "model_signing"
theirs = pytest.mark.skipif(
    not THEIRS.exists(), reason="the reference tool is not here; `make .make/tools` gets it"
)
NOW = datetime(2026, 11, 22, tzinfo=UTC)
Key = ec.EllipticCurvePrivateKey


def keep(path: Path, key: Key, password: bytes = b"") -> Path:
    """A private key in a PEM file, its public one beside it."""
    locked = BestAvailableEncryption(password) if password else NoEncryption()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    path.with_suffix(".pub").write_bytes(public)
    return path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return keep(tmp_path / "key.pem", ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model without what the shelf would leave out."""
    made = model_folder(tmp_path / "kecil")
    for name in ("pytorch_model.bin", "modeling.py"):
        (made / name).unlink()
    shutil.rmtree(made / ".cache")
    (made / "1_Pooling").mkdir()
    (made / "1_Pooling" / "config.json").write_text("{}")
    return made


def files_of(folder: Path) -> list[ModelFile]:
    return [ModelFile(path, digest_file(file), file.stat().st_size) for path, file in look(folder).files.items()]


def manifest_in(folder: Path) -> Manifest:
    return Manifest(folder.name, {one.path: one.digest for one in files_of(folder) if one.path != "model.sig"})


def tool(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([THEIRS, *words], capture_output=True, text=True, timeout=300)


def certificate(
    subject: str, key: Key, issuer: str, by: Key, *, authority: bool, use: str = ""
) -> x509.Certificate:
    """One with the extensions of its kind; `use`: `code` for code signing alone, `tls` for neither."""
    name, issuing = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (subject, issuer))
    made = x509.CertificateBuilder().subject_name(name).issuer_name(issuing).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(NOW - timedelta(days=400))
    made = made.not_valid_after(NOW + timedelta(days=3000 if authority else -1))
    made = made.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    uses = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False
    )
    if authority:
        usage = x509.KeyUsage(False, key_cert_sign=True, crl_sign=True, decipher_only=False, **uses)
        made = made.add_extension(usage, critical=True)
    elif use:
        kind = ExtendedKeyUsageOID.CODE_SIGNING if use == "code" else ExtendedKeyUsageOID.SERVER_AUTH
        made = made.add_extension(x509.ExtendedKeyUsage([kind]), critical=False)
    else:
        usage = x509.KeyUsage(True, key_cert_sign=False, crl_sign=False, decipher_only=False, **uses)
        made = made.add_extension(usage, critical=True)
    made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    made = made.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
    return made.sign(by, hashes.SHA256())


@pytest.fixture
def issued(tmp_path: Path) -> Callable[[str], Path]:
    """Makes an authority, one between, and a signer with a certificate; the folder with all of it."""

    def issue(use: str) -> Path:
        root, between, leaf = (ec.generate_private_key(ec.SECP384R1()) for _ in range(3))
        there = tmp_path / f"certified{use}"
        there.mkdir()
        for name, one in {
            "root": certificate("Akar", root, "Akar", root, authority=True),
            "between": certificate("Antara", between, "Akar", root, authority=True),
            "leaf": certificate("Pembekal", leaf, "Antara", between, authority=False, use=use),
        }.items():
            (there / f"{name}.crt").write_bytes(one.public_bytes(Encoding.PEM))
        keep(there / "leaf.pem", leaf)
        return there

    return issue


@theirs
def test_the_reference_tool_verifies_ours(folder: Path, key: Path) -> None:
    signature = folder / "model.sig"
    signature.write_bytes(read_signer(key).sign(manifest_in(folder)))
    verify = ("verify", "key", folder, "--public_key", key.with_suffix(".pub"), "--signature", signature)
    assert tool(*verify).returncode == 0
    (folder / "config.json").write_text('{"model_type": "lain"}')
    assert tool(*verify).returncode != 0


@theirs
def test_we_verify_the_reference_tools(folder: Path, key: Path) -> None:
    signature = folder / "model.sig"
    (folder / ".gitattributes").write_text("* -text\n")
    assert tool("sign", "key", folder, "--private_key", key, "--signature", signature).returncode == 0
    found = read_trust([key.with_suffix(".pub")]).verify(signature.read_bytes())
    assert found.manifest.files == {
        one.path: one.digest for one in files_of(folder) if one.path not in ("model.sig", ".gitattributes")
    }
    assert found.manifest.hold([*files_of(folder), ModelFile(".gitattributes", "0" * 64, 1)]) == 0
    assert found.signer.startswith("key:")


@theirs
@pytest.mark.parametrize("use", ["", "code"])
def test_certificates_go_both_ways(folder: Path, issued: Callable[[str], Path], use: str) -> None:
    there, signature = issued(use), folder / "model.sig"
    leaf, between, root = (there / f"{name}.crt" for name in ("leaf", "between", "root"))
    signature.write_bytes(read_signer(there / "leaf.pem", leaf, [between]).sign(manifest_in(folder)))
    verify = ("verify", "certificate", folder, "--signature", signature, "--certificate_chain", root)
    done = tool(*verify)
    assert done.returncode == 0, done.stderr + done.stdout
    signature.unlink()
    made = ("--private_key", there / "leaf.pem", "--signing_certificate", leaf, "--certificate_chain", between)
    done = tool("sign", "certificate", folder, *made, "--signature", signature)
    assert done.returncode == 0, done.stderr
    found = read_trust([root]).verify(signature.read_bytes())
    assert found.signer == "certificate:CN=Pembekal"
    assert found.manifest.hold(files_of(folder)) == 0


def test_a_chain_to_no_authority_of_ours_does_not_count(folder: Path, issued: Callable[[str], Path]) -> None:
    there = issued("")
    leaf, between, root = (there / f"{name}.crt" for name in ("leaf", "between", "root"))
    content = read_signer(there / "leaf.pem", leaf, [between]).sign(manifest_in(folder))
    assert read_trust([root]).verify(content).signer == "certificate:CN=Pembekal"
    another = issued("code") / "root.crt"
    for trust in (read_trust([another]), Trust()):
        with pytest.raises(SignerUnknown):
            trust.verify(content)
    without = read_signer(there / "leaf.pem", leaf).sign(manifest_in(folder))
    with pytest.raises(SignerUnknown):
        read_trust([root]).verify(without)
    assert read_trust([between]).verify(without), "whoever is named counts, also one in the middle"


def test_a_certificate_for_something_else_does_not_sign_models(
    folder: Path, issued: Callable[[str], Path]
) -> None:
    there = issued("tls")
    signer = read_signer(there / "leaf.pem", there / "leaf.crt", [there / "between.crt"])
    with pytest.raises(ModelRefused, match="not for signing"):
        read_trust([there / "root.crt"]).verify(signer.sign(manifest_in(folder)))
    with pytest.raises(Misused, match="not the certificate"):
        read_signer(there / "leaf.pem", there / "root.crt")


def test_a_leaf_cannot_certify(folder: Path, issued: Callable[[str], Path], tmp_path: Path) -> None:
    there, mine = issued(""), ec.generate_private_key(ec.SECP256R1())
    by = read_signer(there / "leaf.pem").key
    forged = certificate("Palsu", mine, "Pembekal", by, authority=False)
    (tmp_path / "palsu.crt").write_bytes(forged.public_bytes(Encoding.PEM))
    signer = read_signer(
        keep(tmp_path / "palsu.pem", mine), tmp_path / "palsu.crt", [there / "leaf.crt", there / "between.crt"]
    )
    with pytest.raises(SignerUnknown):
        read_trust([there / "root.crt"]).verify(signer.sign(manifest_in(folder)))


def test_changed_unsigned_and_missing_files_are_named(folder: Path, key: Path) -> None:
    manifest = read_trust([key.with_suffix(".pub")]).verify(read_signer(key).sign(manifest_in(folder))).manifest
    files = {one.path: one for one in files_of(folder)}
    assert manifest.hold(files.values()) == 0
    changed = {**files, "config.json": ModelFile("config.json", "0" * 64, 1)}
    with pytest.raises(ModelRefused, match=r"'config.json' was changed after it was signed"):
        manifest.hold(changed.values())
    more = [*files.values(), ModelFile("lebih.gguf", "0" * 64, 1)]
    with pytest.raises(ModelRefused, match=r"'lebih.gguf' was not signed"):
        manifest.hold(more)
    fewer = [one for path, one in files.items() if path != "1_Pooling/config.json"]
    with pytest.raises(ModelRefused, match=r"'1_Pooling/config.json' was signed, and is missing"):
        manifest.hold(fewer)
    assert manifest.hold(fewer, lambda path: path.startswith("1_")) == 1


def test_weights_cannot_be_passed_over(key: Path) -> None:
    manifest = Manifest("m", {"config.json": "0" * 64}, ("README.md", "sub"))
    assert manifest.hold([ModelFile("config.json", "0" * 64, 2), ModelFile("sub/a.txt", "1" * 64, 2)]) == 0
    with pytest.raises(ModelRefused, match="not signed"):
        manifest.hold([ModelFile("config.json", "0" * 64, 2), ModelFile("sub/m.gguf", "1" * 64, 2)])


def test_what_was_signed_cannot_be_altered(folder: Path, key: Path) -> None:
    trust = read_trust([key.with_suffix(".pub")])
    content = json.loads(read_signer(key).sign(manifest_in(folder)))
    payload = json.loads(base64.b64decode(content["dsseEnvelope"]["payload"]))
    payload["predicate"]["resources"][0]["digest"] = "0" * 64
    altered = {**content["dsseEnvelope"], "payload": base64.b64encode(json.dumps(payload).encode()).decode()}
    with pytest.raises(ModelRefused, match="signature is false"):
        trust.verify(json.dumps({**content, "dsseEnvelope": altered}).encode())
    for broken in (
        b"",
        b"[]",
        b'{"mediaType": "x"}',
        b"\xff" * 10,
        json.dumps({**content, "mediaType": "application/x"}).encode(),
        json.dumps({**content, "dsseEnvelope": {**content["dsseEnvelope"], "signatures": []}}).encode(),
        json.dumps({**content, "dsseEnvelope": {**content["dsseEnvelope"], "payloadType": "text"}}).encode(),
        json.dumps({**content, "verificationMaterial": {"x509CertificateChain": {"certificates": []}}}).encode(),
    ):
        with pytest.raises(ModelRefused):
            trust.verify(broken)
    keyless = {**content, "verificationMaterial": {"certificate": {"rawBytes": "AAAA"}, "tlogEntries": [{}]}}
    with pytest.raises(SignerUnknown, match="keyless"):
        trust.verify(json.dumps(keyless).encode())


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("predicate", lambda said: said.update(predicateType="https://model_signing/Digests/v0.1")),
        ("statement", lambda said: said.update(_type="https://in-toto.io/Statement/v0")),
        ("shards", lambda said: said["predicate"]["serialization"].update(method="shards")),
        ("twice", lambda said: said["predicate"]["resources"].append(said["predicate"]["resources"][0])),
        ("leaves", lambda said: said["predicate"]["resources"][0].update(name="../x.json")),
        ("root", lambda said: said["subject"][0]["digest"].update(sha256="0" * 64)),
        ("blake3", lambda said: said["predicate"]["resources"][0].update(algorithm="blake3")),
        ("empty", lambda said: said["predicate"].update(resources=[])),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_statement_of_another_kind_is_refused(name: str, change: Callable[[dict[str, object]], None]) -> None:
    said = json.loads(statement(Manifest("m", {"config.json": "0" * 64})))
    change(said)
    with pytest.raises(ModelRefused):
        manifest_of(json.dumps(said).encode())


def test_another_key_does_not_count(folder: Path, key: Path, tmp_path: Path) -> None:
    other = keep(tmp_path / "other.pem", ec.generate_private_key(ec.SECP521R1()))
    content = read_signer(other).sign(manifest_in(folder))
    with pytest.raises(SignerUnknown, match="does not count here"):
        read_trust([key.with_suffix(".pub")]).verify(content)
    both = read_trust([key.with_suffix(".pub"), other.with_suffix(".pub")])
    assert both.verify(content).manifest.files == manifest_in(folder).files


def test_keys_that_cannot_sign_models_are_told_apart(tmp_path: Path) -> None:
    locked = keep(tmp_path / "locked.pem", ec.generate_private_key(ec.SECP256R1()), b"rahsia")
    assert read_signer(locked, password="rahsia").name.startswith("key:")
    with pytest.raises(Misused, match="password"):
        read_signer(locked)
    with pytest.raises(Misused, match="No such file"):
        read_signer(tmp_path / "none.pem")
    for other in (ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)):
        path = tmp_path / "other.pem"
        path.write_bytes(other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        with pytest.raises(Misused, match="P-256"):
            read_signer(path)
        path.write_bytes(other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        with pytest.raises(Misused, match="P-256"):
            read_trust([path])
    (tmp_path / "bad.crt").write_text("-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----\n")
    with pytest.raises(Misused, match="certificates"):
        read_trust([tmp_path / "bad.crt"])
