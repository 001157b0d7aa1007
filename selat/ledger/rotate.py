"""Gives a log a new signing key: announced in the log under the old key, where that is not lost."""

from __future__ import annotations

from pathlib import Path

from selat.core.entry import Change
from selat.core.note import VerifierKey
from selat.core.signer import Signer
from selat.ledger.keys import load_signer, replace_key
from selat.ledger.place import Place, place_of
from selat.ledger.sequencer import Sequencer
from selat.stamps import now


def rotate(place: Path | Place, key_file: Path) -> VerifierKey:
    """Replace the signing key; stop `selat up` first. The log and every receipt given stay valid.

    With the old key at hand, the entry `ledger.key` that names the new one is signed by the old one, so whoever
    trusts the old key can verify the change; a lost key leaves only the operator's word, and the entry says so.
    The trust file then believes both: hand it to those who verify. Raises: HomeBusy, LedgerBroken, OSError.
    """
    place = place_of(place)
    with place.store().hold():
        new, old = replace_key(place.folder, key_file)
    time = now()
    facts: dict[str, object] = {"key": str(new.key), "old": old.key.id.hex() if old else "lost"}
    change = Change("ledger.key", f"key-{new.key.id.hex()}", time, "", "operator", facts)
    journal = place.journal("rotate")
    journal.start()
    journal.append(change.leaf()).wait()
    journal.close()
    for signer in (old, load_signer(key_file)):
        if signer is not None:
            _step(place, signer)
    return new.key


def _step(place: Place, signer: Signer) -> None:
    sequencer = Sequencer(place, signer)
    try:
        sequencer.start()
        while sequencer.step():
            continue
    finally:
        sequencer.close()
