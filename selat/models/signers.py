"""Who signs models and whose signatures count: keys and certificates, in PEM files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from selat.core.errors import Misused, ModelRefused
from selat.models.record import SIGNATURE
from selat.models.signature import Bundle, Manifest, bundle, manifest_of, material_of, read_bundle, statement

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}
"""Curves that signatures of models may be on, each with its hash. Source: Sigstore's PublicKeyDetails."""
_CURVES = "models are signed with ECDSA on P-256, P-384 or P-521"


class SignerUnknown(ModelRefused):
    """The signature may be right, but nobody whose signatures count here made it."""


class Vouched(NamedTuple):
    """A signature that was verified: what it says, and who made it: `key:SHA-256` or `certificate:SUBJECT`."""

    manifest: Manifest
    signer: str


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key, with its certificate and those between it and an authority, where there are any."""

    key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def name(self) -> str:
        return _certified(self.chain[0]) if self.chain else f"key:{_digest(self.key.public_key())}"

    def sign(self, manifest: Manifest) -> bytes:
        """The content of `model.sig`."""
        payload = statement(manifest)
        unsigned = material_of(
            _digest(self.key.public_key()), (one.public_bytes(Encoding.DER) for one in self.chain)
        )
        made = read_bundle(bundle(payload, b"", unsigned))
        return bundle(payload, self.key.sign(made.signed_bytes, ec.ECDSA(_HASHES[self.key.curve.name])), unsigned)


@dataclass(frozen=True, slots=True)
class Trust:
    """Public keys and authorities whose signatures count."""

    keys: tuple[ec.EllipticCurvePublicKey, ...] = ()
    authorities: tuple[x509.Certificate, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.keys or self.authorities)

    def verify(self, unverified: bytes) -> Vouched:
        """Who signed what, if one of ours did.

        Raises: SignerUnknown, where nobody that counts here signed; ModelRefused, where the signature is false.
        """
        found = read_bundle(unverified)
        material = found.verification_material
        if material.x509_certificate_chain:
            key, signer = self._certified([one.raw_bytes for one in material.x509_certificate_chain.certificates])
        elif material.public_key is None:
            raise SignerUnknown(
                f"{SIGNATURE} was made without a key (Sigstore's keyless way): verifying that takes its "
                "logs on the internet. Do it there, with `model_signing verify sigstore`, and sign the model with "
                "a key of your own: selat model sign"
            )
        else:
            key = self._key(material.public_key.hint)
            signer = f"key:{_digest(key)}"
        _check(key, found)
        return Vouched(manifest_of(found.dsse_envelope.payload), signer)

    def _key(self, hint: str) -> ec.EllipticCurvePublicKey:
        """Signatures of before 1.1 name no key: then there must be one alone."""
        for key in self.keys:
            if hint == _digest(key) or (not hint and len(self.keys) == 1):
                return key
        raise SignerUnknown(f"{SIGNATURE} is by the key {hint[:16] or 'unnamed'}…, which does not count here")

    def _certified(self, chain: Sequence[bytes]) -> tuple[ec.EllipticCurvePublicKey, str]:
        """The key of a certificate that an authority of ours stands for, at the beginning of its validity.

        Models outlive certificates, and the signature bears no time that could be believed: so does the reference
        implementation. An authority whose certificates count no more is taken out of the trusted ones.
        """
        try:
            leaf, *between = (x509.load_der_x509_certificate(der) for der in chain)
            if not self.authorities:
                raise SignerUnknown(f"{SIGNATURE} is by {_certified(leaf)}; no authority counts here")
            policy = PolicyBuilder().store(Store(list(self.authorities))).time(leaf.not_valid_before_utc)
            rules = policy.extension_policies(ca_policy=_authority(), ee_policy=ExtensionPolicy.permit_all())
            rules.build_client_verifier().verify(leaf, between)
            key = leaf.public_key()
        except VerificationError as error:
            raise SignerUnknown(
                f"{SIGNATURE}: no authority that counts here stands for its signer: {error}"
            ) from error
        except (ValueError, UnsupportedAlgorithm) as error:
            raise ModelRefused(f"{SIGNATURE}: its certificates cannot be read: {error}") from error
        if not _may_sign(leaf):
            raise ModelRefused(f"{SIGNATURE}: the certificate of {_certified(leaf)} is not for signing")
        return _on_curve(key, _certified(leaf)), _certified(leaf)


def read_signer(
    key: Path, certificate: Path | None = None, chain: Iterable[Path] = (), password: str = ""
) -> Signer:
    """A signer of PEM files. Raises: Misused."""
    try:
        private = load_pem_private_key(key.read_bytes(), password.encode() or None)
    except OSError as error:
        raise Misused(f"{key}: {error.strerror}; name the private key's PEM file") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Misused(
            f"{key} is no PEM private key, or its password is missing or wrong (--password-env)"
        ) from error
    if not isinstance(private, ec.EllipticCurvePrivateKey) or private.curve.name not in _HASHES:
        raise Misused(f"{key}: {_CURVES}; make one: openssl ecparam -name prime256v1 -genkey -noout -out key.pem")
    if certificate is None:
        return Signer(private)
    certificates = tuple(one for path in (certificate, *chain) for one in _certificates(path, _read(path)))
    if certificates[0].public_key() != private.public_key():
        raise Misused(f"{certificate} is not the certificate of the key {key}")
    return Signer(private, certificates)


def read_trust(paths: Iterable[Path]) -> Trust:
    """Public keys and certificates of authorities, as many as each PEM file holds. Raises: Misused."""
    keys: list[ec.EllipticCurvePublicKey] = []
    authorities: list[x509.Certificate] = []
    for path in paths:
        text = _read(path)
        if b"BEGIN CERTIFICATE" in text:
            authorities += _certificates(path, text)
            continue
        try:
            keys.append(_on_curve(load_pem_public_key(text), str(path)))
        except (ValueError, UnsupportedAlgorithm, ModelRefused) as error:
            raise Misused(f"{path} holds neither certificates nor a PEM public key: {_CURVES}") from error
    return Trust(tuple(keys), tuple(authorities))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Misused(f"{path}: {error.strerror}; name a PEM file") from error


def _certificates(path: Path, text: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(text)
    except ValueError as error:
        raise Misused(f"{path} holds no certificates in PEM") from error


def _check(key: ec.EllipticCurvePublicKey, found: Bundle) -> None:
    try:
        key.verify(found.signature, found.signed_bytes, ec.ECDSA(_HASHES[key.curve.name]))
    except InvalidSignature as error:
        raise ModelRefused(f"{SIGNATURE}: the signature is false: what it signs was changed") from error


def _on_curve(key: object, whose: str) -> ec.EllipticCurvePublicKey:
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in _HASHES:
        raise ModelRefused(f"{whose}: {_CURVES}")
    return key


def _digest(key: ec.EllipticCurvePublicKey) -> str:
    """How a bundle names a key: SHA-256 of its PEM. Source: model-signing 1.1, `PublicKeyIdentifier.hint`."""
    return hashlib.sha256(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def _certified(leaf: x509.Certificate) -> str:
    return f"certificate:{leaf.subject.rfc4514_string()[:200]}"


def _authority() -> ExtensionPolicy:
    """An authority is marked as one; where its key has uses, certifying is among them."""

    def certifies(policy: object, certificate: x509.Certificate, extension: x509.ExtensionType | None) -> None:
        if isinstance(extension, x509.BasicConstraints) and not extension.ca:
            raise ValueError("a certificate in the chain is no authority's")
        if isinstance(extension, x509.KeyUsage) and not extension.key_cert_sign:
            raise ValueError("an authority's key is not for certifying")

    policy = ExtensionPolicy.permit_all().require_present(x509.BasicConstraints, Criticality.AGNOSTIC, certifies)
    return policy.may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, certifies)


def _may_sign(leaf: x509.Certificate) -> bool:
    """As the reference implementation has it: the key's use is signatures, or the certificate's is code."""
    for kind in (x509.KeyUsage, x509.ExtendedKeyUsage):
        try:
            value = leaf.extensions.get_extension_for_class(kind).value
        except x509.ExtensionNotFound:
            continue
        if isinstance(value, x509.KeyUsage) and value.digital_signature:
            return True
        if isinstance(value, x509.ExtendedKeyUsage) and ExtendedKeyUsageOID.CODE_SIGNING in value:
            return True
    return False
