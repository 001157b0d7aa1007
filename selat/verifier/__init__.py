"""Verifies receipts and bundles offline and says what is proved; needs only selat.core and cryptography."""

from selat.verifier.bundle import Bundle, Disclosure, read_bundle, write_bundle
from selat.verifier.verdict import Verdict, verify_path
from selat.verifier.words import explain

__all__ = ["Bundle", "Disclosure", "Verdict", "explain", "read_bundle", "verify_path", "write_bundle"]
