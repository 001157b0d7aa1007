"""The file `model.sig` of OpenSSF Model Signing: a manifest of a model's files, signed, in a Sigstore bundle.

Source: github.com/ossf/model-signing-spec, predicate https://model_signing/signature/v1.0, and its reference
implementation `model-signing` 1.1; in-toto Statement v1; DSSE v1.0.2; Sigstore bundle v0.3.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated

import msgspec
from msgspec import Meta, field

from selat.core.errors import BadRequest, ModelRefused
from selat.models.kinds import kind_of
from selat.models.record import SIGNATURE, ModelFile, check_path

MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://model_signing/signature/v1.0"
MAX_SIGNATURE_BYTES = 64 << 20
_SHOWN = 5
_Hex64 = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class _PublicKey(msgspec.Struct, rename="camel"):
    hint: str = ""


class _Certificate(msgspec.Struct, rename="camel"):
    raw_bytes: bytes


class _Chain(msgspec.Struct, rename="camel"):
    certificates: Annotated[list[_Certificate], Meta(min_length=1, max_length=20)]


class Material(msgspec.Struct, rename="camel", omit_defaults=True):
    """How to find the key: its digest, or the certificates. `certificate` alone is Sigstore's keyless way."""

    public_key: _PublicKey | None = None
    x509_certificate_chain: _Chain | None = None
    certificate: _Certificate | None = None
    tlog_entries: list[msgspec.Raw] = field(default_factory=list)


class _Signed(msgspec.Struct):
    sig: bytes
    keyid: str | None = ""


class _Envelope(msgspec.Struct, rename="camel"):
    payload: bytes
    payload_type: str
    signatures: Annotated[list[_Signed], Meta(min_length=1, max_length=1)]


class Bundle(msgspec.Struct, rename="camel"):
    """The file, read but not verified: nothing in it may be believed yet."""

    media_type: str
    verification_material: Material
    dsse_envelope: _Envelope

    @property
    def signed_bytes(self) -> bytes:
        """What the signature is over: DSSE's pre-authentication encoding."""
        return encoding(self.dsse_envelope.payload)

    @property
    def signature(self) -> bytes:
        return self.dsse_envelope.signatures[0].sig


class _Subject(msgspec.Struct):
    name: str
    digest: dict[str, str]


class _Serialization(msgspec.Struct):
    method: str
    hash_type: str
    ignore_paths: list[str] = field(default_factory=list)


class _Resource(msgspec.Struct):
    name: str
    algorithm: str
    digest: _Hex64


class _Predicate(msgspec.Struct):
    serialization: _Serialization
    resources: Annotated[list[_Resource], Meta(min_length=1)]


class _Statement(msgspec.Struct, rename={"type_": "_type"}):
    type_: str
    subject: Annotated[list[_Subject], Meta(min_length=1, max_length=1)]
    predicate_type: str = field(name="predicateType")
    predicate: msgspec.Raw = field(default_factory=msgspec.Raw)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The files that were signed, by path, with their SHA-256; what lies under `ignored` was not looked at."""

    name: str
    files: dict[str, str]
    ignored: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """The one digest that stands for all: SHA-256 over the files' digests, in the order of their paths."""
        joined = b"".join(bytes.fromhex(self.files[path]) for path in sorted(self.files))
        return hashlib.sha256(joined).hexdigest()

    def hold(self, files: Iterable[ModelFile], spared: Callable[[str], bool] = lambda path: False) -> int:
        """Hold files against what was signed; how many signed ones are not there, all of them `spared`.

        Raises: ModelRefused, naming the first files that were changed, that nobody signed, or that are missing.
        """
        held = {file.path: file.digest for file in files if file.path != SIGNATURE}
        missing = sorted(self.files.keys() - held.keys())
        wrong = {
            "was changed after it was signed": [
                path for path in sorted(held) if self.files.get(path, held[path]) != held[path]
            ],
            "was not signed": [
                path for path in sorted(held) if path not in self.files and not self._ignores(path)
            ],
            "was signed, and is missing": [path for path in missing if not spared(path)],
        }
        for what, paths in wrong.items():
            if paths:
                more = f" (and {len(paths) - _SHOWN} more)" if len(paths) > _SHOWN else ""
                names = ", ".join(f"'{path}'" for path in paths[:_SHOWN])
                raise ModelRefused(f"{self.name}: {names}{more} {what}; fetch the model anew from who signed it")
        return len(missing)

    def _ignores(self, path: str) -> bool:
        """Weights are never ignored, whatever the signer's tool was told."""
        spared = any(path == one or path.startswith(f"{one}/") for one in self.ignored)
        return spared and not kind_of(path).weights


def encoding(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding (PAE) of an in-toto statement."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(payload), payload)


def statement(manifest: Manifest) -> bytes:
    """The in-toto statement that is signed."""
    resources = [
        {"name": path, "algorithm": "sha256", "digest": manifest.files[path]} for path in sorted(manifest.files)
    ]
    method = {
        "method": "files",
        "hash_type": "sha256",
        "allow_symlinks": True,
        "ignore_paths": [SIGNATURE, *manifest.ignored],
    }
    return msgspec.json.encode(
        {
            "_type": STATEMENT_TYPE,
            "subject": [{"name": manifest.name, "digest": {"sha256": manifest.digest}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": {"serialization": method, "resources": resources},
        }
    )


def bundle(payload: bytes, signature: bytes, material: Material) -> bytes:
    """The file `model.sig` of a signed statement."""
    envelope = _Envelope(payload, PAYLOAD_TYPE, [_Signed(signature)])
    plain = msgspec.to_builtins(Bundle(MEDIA_TYPE, material, envelope))
    plain["verificationMaterial"].setdefault("tlogEntries", [])
    return msgspec.json.encode(plain)


def material_of(key_digest: str, certificates: Iterable[bytes] = ()) -> Material:
    """Certificates in DER, the signer's first; without them the digest of a public key."""
    if chain := [_Certificate(der) for der in certificates]:
        return Material(x509_certificate_chain=_Chain(chain))
    return Material(public_key=_PublicKey(key_digest))


def read_bundle(unverified: bytes) -> Bundle:
    """The file as a value, nothing of it verified. Raises: ModelRefused."""
    if len(unverified) > MAX_SIGNATURE_BYTES:
        raise ModelRefused(f"{SIGNATURE} has {len(unverified)} bytes, over the limit of {MAX_SIGNATURE_BYTES}")
    try:
        found = msgspec.json.decode(unverified, type=Bundle)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelRefused(f"{SIGNATURE} is no Sigstore bundle with a signed statement: {error}") from error
    for what, is_, due in (
        ("bundle", found.media_type, MEDIA_TYPE),
        ("payload", found.dsse_envelope.payload_type, PAYLOAD_TYPE),
    ):
        if is_ != due:
            raise ModelRefused(f"{SIGNATURE}: its {what} is of the kind '{is_[:100]}'; read is {due}")
    return found


def manifest_of(payload: bytes) -> Manifest:
    """The manifest of a statement whose signature was verified before. Raises: ModelRefused."""
    try:
        said = msgspec.json.decode(payload, type=_Statement)
        if said.type_ != STATEMENT_TYPE or said.predicate_type != PREDICATE_TYPE:
            raise ModelRefused(
                f"{SIGNATURE} states '{said.predicate_type[:100]}'; read is {PREDICATE_TYPE}: "
                "have it signed anew with model-signing 1.0 or later"
            )
        predicate = msgspec.json.decode(said.predicate, type=_Predicate)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelRefused(f"{SIGNATURE}: what was signed cannot be read: {error}") from error
    method = predicate.serialization
    if (method.method, method.hash_type) != ("files", "sha256"):
        raise ModelRefused(
            f"{SIGNATURE} signs {method.method[:20]} by {method.hash_type[:20]}; files by sha256 are verified here"
        )
    return _manifest(said.subject[0], method, predicate.resources)


def _manifest(subject: _Subject, method: _Serialization, resources: list[_Resource]) -> Manifest:
    joined = hashlib.sha256()
    files: dict[str, str] = {}
    for one in resources:
        try:
            path = check_path(one.name)
        except BadRequest as error:
            raise ModelRefused(f"{SIGNATURE}: {error}") from error
        if path in files or one.algorithm != "sha256":
            raise ModelRefused(f"{SIGNATURE}: '{path}' stands in it twice, or with another digest than SHA-256")
        files[path] = one.digest
        joined.update(bytes.fromhex(one.digest))
    if subject.digest.get("sha256") != joined.hexdigest():
        raise ModelRefused(f"{SIGNATURE}: the digest of the whole does not fit its files")
    return Manifest(subject.name, files, tuple(method.ignore_paths))
