"""Gives a log a new signing key: announced in the log under the old key, where that is not lost."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from selat.core.entry import Change
from selat.core.note import VerifierKey
from selat.core.signer import Signer
from selat.ledger.journal import Journal
from selat.ledger.keys import load_signer, replace_key
from selat.ledger.sequencer import Sequencer


def rotate(folder: Path, key_file: Path) -> VerifierKey:
    """Replace the signing key; stop `selat up` first. The log and every receipt given stay valid.

    With the old key at hand, the entry `ledger.key` that names the new one is signed by the old one, so whoever
    trusts the old key can verify the change; a lost key leaves only the operator's word, and the entry says so.
    The trust file then believes both: hand it to those who verify. Raises: HomeBusy, LedgerBroken, OSError.
    """
    new, old = replace_key(folder, key_file)
    time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    facts: dict[str, object] = {"key": str(new.key), "old": old.key.id.hex() if old else "lost"}
    change = Change("ledger.key", f"key-{new.key.id.hex()}", time, "", "operator", facts)
    journal = Journal(folder, "rotate")
    journal.start()
    journal.append(change.leaf()).wait()
    journal.close()
    for signer in (old, load_signer(key_file)):
        if signer is not None:
            _step(folder, signer)
    return new.key


def _step(folder: Path, signer: Signer) -> None:
    sequencer = Sequencer(folder, signer)
    try:
        sequencer.step()
    finally:
        sequencer.close()
