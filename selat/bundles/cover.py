"""The cover of a bundle: who made it, where, when, and the digest of its manifest, as a C2SP signed note."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from selat.core.canonical import canonical
from selat.core.errors import BundleBroken, LedgerBroken, Misused
from selat.core.note import Note, VerifierKey, parse_note
from selat.core.signature import ED25519
from selat.core.signer import Signer

COVER = "bundle.note"
HEAD = "selat-bundle/v1"
MAX_BYTES = 64 << 10
_HEAD = re.compile(r"selat-bundle/v([1-9][0-9]{0,5})")


class Cover(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is signed. `home` is the name of its ledger; `label` the strictest of what is inside, "" for none.

    `manifest` is the SHA-256 of the manifest's bytes, `python` and `platform` what its wheels are for.
    """

    home: str
    by: str
    made: str
    key: str
    manifest: str
    manifest_bytes: int
    files: int
    size_bytes: int
    selat: str
    label: str = ""
    python: str = ""
    platform: str = ""

    @property
    def fingerprint(self) -> str:
        """Of the key that the cover names, which is not yet the key that signed it."""
        return fingerprint(VerifierKey.parse(self.key))


def fingerprint(key: VerifierKey) -> str:
    """SHA-256 of the public key, in groups that can be read out."""
    digest = hashlib.sha256(key.public).hexdigest()
    return " ".join(digest[start : start + 8] for start in range(0, 64, 8))


def sign_cover(cover: Cover, signer: Signer) -> bytes:
    """The signed note."""
    text = f"{HEAD}\n{canonical(msgspec.to_builtins(cover)).decode()}\n"
    return str(Note(text, (signer.sign(text),))).encode()


def parse_cover(unverified: bytes, keys: Sequence[VerifierKey] | None) -> Cover:
    """The cover, signed by one of `keys`; with None it is read and nothing is believed.

    Raises: BundleBroken, naming the signer and what to do when none of the keys signed it.
    """
    try:
        note = parse_note(unverified.decode("utf-8"))
    except (LedgerBroken, UnicodeDecodeError) as error:
        raise BundleBroken(f"{COVER} is no signed note: {error}; this is no bundle of Selat's") from error
    head, _, line = note.unverified_text.partition("\n")
    version = _HEAD.fullmatch(head)
    if version is None:
        raise BundleBroken(f"{COVER} does not begin with {HEAD}: this is no bundle of Selat's")
    if head != HEAD:
        raise BundleBroken(
            f"the bundle is of format {version[1]}, and this Selat reads format 1: upgrade it first"
        )
    try:
        cover = msgspec.json.decode(line, type=Cover)
        key = VerifierKey.parse(cover.key)
    except (msgspec.DecodeError, LedgerBroken) as error:
        raise BundleBroken(f"{COVER} cannot be read: {error}; ask for the bundle again") from error
    if keys is None:
        return cover
    known = {(one.name, one.id) for one in keys}
    if not any((one.name, one.key_id) in known for one in note.signatures):
        raise BundleBroken(
            "no key given with --trust has signed this bundle. "
            f"It says that it is by {cover.key.rpartition('+')[0]}, fingerprint {fingerprint(key)}. "
            "Ask that house by another road for its key (selat bundle key), "
            "compare the fingerprint, and give the key with --trust"
        )
    try:
        note.text(keys)
    except LedgerBroken as error:
        raise BundleBroken(f"{COVER}: {error}; ask for the bundle again") from error
    return cover


def read_keys(said: Iterable[str]) -> tuple[VerifierKey, ...]:
    """Keys as a person names them: NAME+ID+BASE64, or a file that holds one a line. Raises: Misused."""
    found: list[VerifierKey] = []
    for text in said:
        lines = [text]
        if "+" not in text or Path(text).is_file():
            try:
                lines = Path(text).read_text("utf-8").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                raise Misused(
                    f"--trust: '{text[:200]}' is neither a key nor a file of keys that can be read"
                ) from error
        found += [_key(line.strip()) for line in lines if line.strip() and not line.startswith("#")]
    if not found:
        raise Misused("--trust: no key in there; the other house prints its own with: selat bundle key")
    return tuple(found)


def _key(text: str) -> VerifierKey:
    try:
        key = VerifierKey.parse(text)
    except LedgerBroken as error:
        raise Misused(f"--trust: {error}") from error
    if key.kind != ED25519:
        raise Misused(f"--trust: {key.name} is a witness's key; a bundle is signed by a key of type 1")
    return key
