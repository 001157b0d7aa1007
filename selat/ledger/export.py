"""Receipt bundles: what a holder carries away to prove, without us, what the ledger says about a request."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from selat.core.proof import parse_proof
from selat.ledger.book import Book
from selat.ledger.facts import facts, policy_of
from selat.verifier import Bundle, Disclosure, write_bundle

CONTENT = ".text"
_NO_PACKS: Mapping[str, Mapping[str, str]] = {}
_PAGE = """# Verify this receipt / Sahkan resit ini

Receipt / resit: {receipt}
Log: {origin}

The log is tamper-evident, not proof against a lying operator: a receipt shows that an entry was written and has
not changed since. It does not show that the entry is true, nor, without a witness, that others see the same book.
Log ini menunjukkan kesan usikan; ia tidak membuktikan bahawa pengendali berkata benar.

Get the log's trust file by a road of its own (the operator's site, a letter), not from this bundle.
Dapatkan fail kepercayaan log melalui jalan lain, bukan daripada bundel ini.

## With Selat / Dengan Selat

    selat ledger verify receipt.zip --trust trust.policy
    selat ledger verify receipt.zip --trust trust.policy --text prompt=request.json --language ms

`request.json` is the body of the request, byte for byte as it was sent; `answer` likewise.

## With the verifier alone / Dengan pengesah sahaja

Python 3.11 with `cryptography`; of Selat only the folders `core` and `verifier`:

    python -m selat.verifier receipt.zip --trust trust.policy

## With Go, without any code of ours but 200 lines to read / Dengan Go

`verify.go` in this bundle uses golang.org/x/mod/sumdb/note and sumdb/tlog, which know nothing of Selat:

    unzip receipt.zip && go mod init verify && go get golang.org/x/mod && go build verify.go
    ./verify '{key}' receipt {names}

Compare the key above with the one in the trust file that you got by the other road.

## What decided / Apa yang memutuskan

{policies}
Ask the operator for the policy files with these SHA-256 digests; an entry cannot name others afterwards. `packs`
stands for the rule packs in force: SHA-256 of a line `ID HASH` for each; the entries `packs.in_force` list them.
Minta fail dasar dengan cerna SHA-256 ini daripada pengendali.

## The files / Fail-fail

| file | what it is |
|---|---|
| `*.tlog-proof` | an entry (base64 in the line `extra`), its inclusion proof, the signed checkpoint |
| `*.json` | the same entries, as text to read: RFC 8785 JSON; the bytes that were hashed |
| `trust.policy` | the log's key as the operator's machine has it: c2sp.org/tlog-policy |
| `disclosures.json` | salts that open the entries' commitments to whoever has the words: keep it like them |
| `verify.go` | the Go program |
"""


def export(
    book: Book, *receipt_ids: str, disclose: bool = True, packs: Mapping[str, Mapping[str, str]] = _NO_PACKS
) -> bytes:
    """The bundle of receipt ids, as a zip. `disclose` puts in the salts, and content where it is kept: only for
    who may see the words. `packs`: by digest as entries name it, the hash of each rule pack it stands for.

    Raises: NotFound, when there is no such receipt (yet); LedgerBroken.
    """
    proofs: dict[str, str] = {}
    pages: dict[str, bytes] = {}
    opened: list[Disclosure] = []
    for receipt_id in receipt_ids:
        for text in book.receipts(receipt_id):
            proof = parse_proof(text)
            name = f"{proof.index}-{facts(proof.leaf).kind.replace('/', '_')}"
            proofs[f"{name}.tlog-proof"] = text
            pages[f"{name}.json"] = proof.leaf
        for leaf, named in (book.secrets(receipt_id) if disclose else {}).items():
            for name, value in named.items():
                if name.endswith(CONTENT):
                    pages[f"{leaf}-{name}"] = value
                else:
                    opened.append(Disclosure(leaf, name, value))
    trust = book.trust()
    key = next(line.split()[1] for line in trust.splitlines() if line.startswith("log "))
    policies = "".join(sorted({_policy(leaf, packs) for name, leaf in pages.items() if name.endswith(".json")}))
    page = _PAGE.format(
        policies=policies or "No policy was asked for these entries.\n",
        receipt=", ".join(receipt_ids),
        origin=key.split("+")[0],
        key=key,
        names=" ".join(proofs),
    )
    pages |= {
        "VERIFY.md": page.encode(),
        "verify.go": files("selat.verifier").joinpath("verify.go").read_bytes(),
    }
    return write_bundle(Bundle(proofs, trust, tuple(opened), pages))


def _policy(leaf: bytes, packs: Mapping[str, Mapping[str, str]]) -> str:
    """Lines with what an entry names: digests of the policy set, its schema, what was proved of it, rule packs."""
    named = policy_of(leaf)
    lines = [f"- {key}: `{value}`" for key, value in sorted(named.items(), reverse=True)]
    lines += [f"  - {name} `{value}`" for name, value in sorted(packs.get(named.get("packs", ""), {}).items())]
    return "".join(f"{line}\n" for line in lines)
