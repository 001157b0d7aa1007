"""Verifies proofs, bundles and folders of them, and ties disclosed texts to the commitments in entries."""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from selat.core.entry import commitment
from selat.core.errors import LedgerBroken
from selat.core.note import parse_note
from selat.core.proof import Receipt, parse_proof, verify
from selat.verifier.bundle import PROOF_SUFFIX, Bundle, read_bundle


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one proof: a Receipt, or the reason why not.

    `enclosed` says that the trust file came in the same bundle; `shown` are the texts proved to be those
    committed to; `cosigned` are (witness, seconds since 1970).
    """

    name: str
    receipt: Receipt | None
    reason: str = ""
    enclosed: bool = False
    shown: tuple[str, ...] = ()
    cosigned: tuple[tuple[str, int], ...] = ()

    @property
    def ok(self) -> bool:
        return self.receipt is not None

    def to_json(self) -> dict[str, object]:
        if self.receipt is None:
            return {"file": self.name, "ok": False, "reason": self.reason}
        head = self.receipt.checkpoint
        return {
            "file": self.name,
            "ok": True,
            "log": head.origin,
            "index": self.receipt.index,
            "size": head.size,
            "root": head.root.hex(),
            "witnesses": [{"name": name, "time": time} for name, time in self.cosigned],
            "trust_enclosed": self.enclosed,
            "texts_proved": list(self.shown),
            "entry": entry_of(self.receipt),
        }


def verify_path(
    path: Path, trust: str | None = None, texts: Mapping[str, bytes] | None = None
) -> Iterator[Verdict]:
    """Verify a proof file, a bundle, or every one of them in a folder; `trust` is a trust file's text.

    With `trust` None a bundle is verified with the trust file it encloses, and the verdict says so. `texts`
    are to be proved the prompt or answer that an entry committed to, with the salts in the bundle.
    """
    if path.is_dir():
        for inner in sorted(path.rglob("*")):
            if inner.suffix in (PROOF_SUFFIX, ".zip"):
                yield from verify_path(inner, trust, texts)
        return
    try:
        data = path.read_bytes()
        if data.startswith(b"PK"):
            yield from _bundle(str(path), read_bundle(data), trust, texts or {})
            return
        if trust is None:
            raise LedgerBroken("a bare receipt needs a trust file: --trust FILE")
        yield _proof(str(path), data.decode("utf-8"), trust, Bundle({}, ""), texts or {})
    except OSError as error:
        yield Verdict(str(path), None, f"it cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        yield Verdict(str(path), None, "it is no receipt: not text in UTF-8, nor a bundle")
    except LedgerBroken as error:
        yield Verdict(str(path), None, str(error))


def _bundle(name: str, bundle: Bundle, trust: str | None, texts: Mapping[str, bytes]) -> Iterator[Verdict]:
    enclosed = trust is None
    if enclosed and not bundle.trust:
        raise LedgerBroken("the bundle encloses no trust file: --trust FILE")
    for inner, text in bundle.proofs.items():
        verdict = _proof(f"{name}!{inner}", text, bundle.trust if trust is None else trust, bundle, texts)
        yield Verdict(verdict.name, verdict.receipt, verdict.reason, enclosed, verdict.shown, verdict.cosigned)


def _proof(name: str, text: str, trust: str, bundle: Bundle, texts: Mapping[str, bytes]) -> Verdict:
    try:
        receipt = verify(text, trust)
        shown = tuple(_shown(receipt, bundle, texts))
    except LedgerBroken as error:
        return Verdict(name, None, str(error))
    witnesses = {(key.name, key.id) for key in receipt.signers if key.name in receipt.witnesses}
    lines = parse_note(str(parse_proof(text).checkpoint)).signatures
    cosigned: dict[tuple[str, bytes], int] = {}
    for line in lines:
        if (line.name, line.key_id) in witnesses:
            # Of several lines by one key the first is the one that was verified.
            cosigned.setdefault((line.name, line.key_id), line.timestamp)
    times = tuple((who, time) for (who, _), time in cosigned.items())
    return Verdict(name, receipt, shown=shown, cosigned=times)


def _shown(receipt: Receipt, bundle: Bundle, texts: Mapping[str, bytes]) -> Iterator[str]:
    """The names of texts that are what this entry committed to. Raises: LedgerBroken, when one is not."""
    entry = entry_of(receipt)
    for name, text in texts.items():
        stated = entry.get(name)
        if not isinstance(stated, dict):
            continue
        salts = [item.salt for item in bundle.disclosures if (item.leaf, item.name) == (receipt.index, name)]
        if not salts:
            raise LedgerBroken(f"the salt of '{name}' is not in the bundle: withheld, or erased")
        if not hmac.compare_digest(commitment(salts[0], text), str(stated.get("c"))):
            raise LedgerBroken(f"the text given is not the {name} that the entry committed to")
        yield name


def entry_of(receipt: Receipt) -> dict[str, object]:
    """The entry's JSON object; empty when the leaf is not one."""
    try:
        value = json.loads(receipt.leaf)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
