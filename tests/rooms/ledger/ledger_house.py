"""A ledger on disk for tests, with leaves that look like the gateway's."""

from __future__ import annotations

from pathlib import Path

from selat.core.canonical import canonical
from selat.core.signer import Signer
from selat.ledger import Journal, Sequencer, prepare, secret


def leaf(number: int, kind: str = "opened", tenant: str = "t1") -> bytes:
    hour = number // 3600 + (4 if kind == "closed" else 3)
    time = f"2026-11-22T{hour:02d}:{number // 60 % 60:02d}:{number % 60:02d}Z"
    return canonical({"v": 1, "kind": kind, "id": f"r{number}", "time": time, "tenant": tenant})


class House:
    """A home's ledger: `folder`, `signer`, and shorthands for a journal and a sequencer."""

    def __init__(self, home: Path) -> None:
        self.folder, self.key_file = home / "ledger", home / "keys" / "ledger.key"
        self.signer: Signer = prepare(self.folder, self.key_file, "selat.local/test")

    def write(self, leaves: list[bytes], worker: str = "w0") -> None:
        """Append leaves, each with a salt, durably, by a writer that then goes."""
        journal = Journal(self.folder, worker)
        journal.start()
        tickets = [journal.append(item, secret("prompt", b"s" * 32)) for item in leaves]
        for ticket in tickets:
            ticket.wait(60)
        journal.close()

    def sequence(self) -> int:
        sequencer = Sequencer(self.folder, self.signer)
        try:
            return sequencer.step()
        finally:
            sequencer.close()
