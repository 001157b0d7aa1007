"""The receipt bundle: a zip of proofs, leaves, trust file and disclosures that a holder can carry away."""

from __future__ import annotations

import base64
import binascii
import io
import json
import zipfile
from dataclasses import dataclass, field

from selat.core.errors import LedgerBroken

PROOF_SUFFIX = ".tlog-proof"
TRUST_NAME, DISCLOSURES_NAME = "trust.policy", "disclosures.json"
MAX_FILE_BYTES = 16 * 2**20
MAX_FILES = 200_000
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What opens the commitment `name` (`prompt`, `answer`) of leaf `leaf`: its 32-byte salt."""

    leaf: int
    name: str
    salt: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bundle:
    """`proofs` by file name, `trust` as enclosed (believe it only if it came by another road), other `pages`."""

    proofs: dict[str, str]
    trust: str
    disclosures: tuple[Disclosure, ...] = ()
    pages: dict[str, bytes] = field(default_factory=dict)


def write_bundle(bundle: Bundle) -> bytes:
    """The bytes of the zip; the same bundle gives the same bytes."""
    items = [
        {"leaf": item.leaf, "name": item.name, "salt": base64.b64encode(item.salt).decode()}
        for item in bundle.disclosures
    ]
    disclosures = json.dumps({"v": 1, "disclosures": items}, indent=1).encode()
    members = {name: text.encode() for name, text in bundle.proofs.items()}
    members |= {TRUST_NAME: bundle.trust.encode(), DISCLOSURES_NAME: disclosures} | bundle.pages
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def read_bundle(data: bytes) -> Bundle:
    """Read a bundle; nothing in it has been verified. Raises: LedgerBroken, when it is none."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {info.filename: _member(archive, info) for info in archive.infolist()[: MAX_FILES + 1]}
        if len(members) > MAX_FILES:
            raise LedgerBroken(f"bundle: over {MAX_FILES} files")
        proofs = {name: members.pop(name).decode() for name in sorted(members) if name.endswith(PROOF_SUFFIX)}
        trust = members.pop(TRUST_NAME, b"").decode()
        opened = _disclosures(members.pop(DISCLOSURES_NAME, b""))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, UnicodeDecodeError, EOFError) as error:
        raise LedgerBroken("bundle: not a readable zip of a receipt") from error
    if not proofs:
        raise LedgerBroken(f"bundle: no {PROOF_SUFFIX} file in it")
    return Bundle(proofs, trust, opened, members)


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    with archive.open(info) as file:
        data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise LedgerBroken(f"bundle: a file is over {MAX_FILE_BYTES} bytes")
    return data


def _disclosures(data: bytes) -> tuple[Disclosure, ...]:
    if not data:
        return ()
    try:
        items = json.loads(data)["disclosures"]
        return tuple(
            Disclosure(int(item["leaf"]), str(item["name"]), base64.b64decode(item["salt"], validate=True))
            for item in items
        )
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise LedgerBroken("bundle: disclosures.json is not as docs/formats/receipt.md says") from error
