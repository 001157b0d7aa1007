"""The log's signing key and its trust file: made once with the home, read by the sequencer alone."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path

from selat import durable
from selat.core.errors import LedgerBroken
from selat.core.note import well_named
from selat.core.signature import ED25519
from selat.core.signer import Signer
from selat.core.trust import Trust, parse_trust
from selat.ledger import files

TRUST = "trust.policy"
_SEED_BYTES = 32
MAX_ORIGIN_BYTES = 255


def new_origin() -> str:
    """A name for a log of this house: `selat.local/` and 16 random hex digits."""
    return f"selat.local/{secrets.token_hex(8)}"


def make_signer(name: str, kind: int = ED25519) -> Signer:
    """A fresh key."""
    return Signer(name, kind, secrets.token_bytes(_SEED_BYTES))


def save_signer(path: Path, signer: Signer) -> None:
    """Write a key file that only its owner may read; an existing one is never overwritten.

    Raises: LedgerBroken, when there is one; OSError.
    """
    durable.make_folder(path.parent)
    try:
        durable.create(path, signer.secret_text().encode())
    except FileExistsError:
        raise LedgerBroken(f"{path} exists: a key is never overwritten; move it away first") from None


def load_signer(path: Path) -> Signer:
    """Read a key file. Raises: LedgerBroken, when it is missing, open to others, or not a key."""
    try:
        if path.stat().st_mode & 0o077:
            raise LedgerBroken(f"{path} can be read by others: run chmod 600 on it")
        return Signer.parse(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise LedgerBroken(
            f"{path}: the ledger's signing key cannot be read; restore it from backup, "
            "or put a new key in its place: selat ledger rotate-key"
        ) from error


def prepare(folder: Path, key_file: Path, origin: str = "") -> Signer:
    """Make the ledger of a home where it is missing, key and trust file included; give its signer.

    `origin` names a new log; it is ignored once there is one.
    Raises: LedgerBroken, when there is a log but its key is gone; OSError.
    """
    if origin and not (well_named(origin) and len(origin.encode()) <= MAX_ORIGIN_BYTES):
        raise LedgerBroken(
            "ledger_origin: a name of at most 255 bytes without spaces and plus, as in ledger.example.my"
        )
    log = folder / "log"
    durable.make_folder(log)
    durable.make_folder(folder / "journals")
    if not key_file.exists() and not (log / TRUST).exists():
        save_signer(key_file, make_signer(origin or new_origin()))
    signer = load_signer(key_file)
    if not (log / TRUST).exists():
        files.replace_durably(log / TRUST, trust_text(signer).encode(), "trust")
    return signer


def replace_key(folder: Path, key_file: Path) -> tuple[Signer, Signer | None]:
    """A new key for the log, trusted beside the old one; gives it, and the old one where it is not lost.

    The old key file is kept under its id; remove it when the entry that names the new key is signed.
    Raises: LedgerBroken, when there is no log yet; OSError.
    """
    logs = load_trust(folder).logs
    try:
        old: Signer | None = load_signer(key_file)
    except LedgerBroken:
        old = None
    new = make_signer(logs[0].name)
    path = folder / "log" / TRUST
    lines = path.read_text("utf-8").splitlines()
    last = max(number for number, line in enumerate(lines) if line.split()[:1] == ["log"])
    lines.insert(last + 1, f"log {new.key}")
    files.replace_durably(path, ("\n".join(lines) + "\n").encode(), "trust")
    if key_file.exists():
        name = f"{key_file.name}.{old.key.id.hex() if old else 'unreadable'}.old"
        key_file.rename(key_file.with_name(name))
    save_signer(key_file, new)
    return new, old


def trust_text(signer: Signer) -> str:
    """A trust file that believes this log and asks for no witness."""
    return (
        "# Whom to believe about this log; the format is c2sp.org/tlog-policy.\n"
        "# Get this file from the log's operator by a road of its own, not together with a receipt.\n"
        f"log {signer.key}\n"
        "quorum none\n"
    )


def own_trust(folder: Path) -> Trust:
    """The log's keys and witnesses, asking for no quorum: for the log itself, which works without witnesses."""
    return replace(load_trust(folder), quorum="none")


def load_trust(folder: Path) -> Trust:
    """The trust file that lies with the log. Raises: LedgerBroken."""
    path = folder / "log" / TRUST
    try:
        return parse_trust(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise LedgerBroken(f"{path} cannot be read: a log without its trust file proves nothing") from error
