"""receipt: what the ledger holds under one id, each entry with the proof that an auditor verifies offline."""

from __future__ import annotations

import json

from selat.core.errors import LedgerBroken
from selat.ledger import Book


def receipt(book: Book, receipt_id: str, tenant: str) -> dict[str, object] | None:
    """The entries of a receipt id that belong to `tenant`, by kind, each with `index`, `leaf` and `proof`.

    None when there is none, when it is not sealed yet, and when it is another tenant's: all the same.
    `status` is `open`, `closed` or `refused`; entries of other kinds are listed under their own.
    """
    found: dict[str, object] = {}
    kinds: set[str] = set()
    for index in book.find(receipt_id):
        leaf = json.loads(book.leaf(index))
        if leaf.get("tenant") != tenant:
            return None
        kind = str(leaf.get("kind"))
        found[kind] = {"index": index, "leaf": leaf, "proof": book.proof(index)}
        kinds.add(kind)
    if not found:
        return None
    status = next((kind for kind in ("closed", "refused") if kind in kinds), "open")
    return {"object": "receipt", "id": receipt_id, "status": status, **found}


def of_tenant(book: Book, indexes: list[int], tenant: str) -> list[int]:
    """Those of these leaves that are the tenant's."""
    return [index for index in indexes if json.loads(book.leaf(index)).get("tenant") == tenant]


def last_proof(found: dict[str, object]) -> str:
    """The proof of the latest entry of a receipt. Raises: LedgerBroken, when it has none."""
    entries = [entry for entry in found.values() if isinstance(entry, dict)]
    if not entries:
        raise LedgerBroken("the receipt holds no entry; see selat ledger check")
    return str(max(entries, key=lambda entry: int(entry["index"]))["proof"])
