"""The specimens in docs/formats, made by the code itself; `python tests/docs/specimens.py` writes them anew."""

from __future__ import annotations

import re
from pathlib import Path

from selat.core.caller import Site
from selat.core.checkpoint import Checkpoint
from selat.core.decision import Basis, Redact
from selat.core.entry import About, Change, Closing, Commitment, Opening, Usage
from selat.core.finding import Finding, Scan
from selat.core.label import CloudClass, Label, Official, PersonalKind
from selat.core.note import Note
from selat.core.proof import UnverifiedProof
from selat.core.signature import COSIGN_ED25519
from selat.core.signer import Signer
from selat.core.tree import fold, inclusion_proof, leaf_hash, tree_root
from selat.ledger import frame, secret

PAGES = Path(__file__).parents[2] / "docs" / "formats"
BLOCK = re.compile(r"<!-- specimen: ([a-z-]+) -->\n```[a-z]*\n(.*?)```\n", re.DOTALL)

PROMPT = b'{"model":"sample","messages":[{"role":"user","content":"Nombor saya 900101-14-5678"}]}'
PROMPT_SALT, ANSWER_SALT = bytes(range(32)), bytes(range(32, 64))
LOG = Signer("selat.local/2f1c9b7a04d3e856", seed=b"\x2a" * 32)
WITNESS = Signer("witness.example/w1", COSIGN_ED25519, b"\x2b" * 32)
_ID, _LABEL = (
    "01KAPQ4S7V9M3YB8ZC2N5T6HXD",
    Label(Official.TERHAD, CloudClass.INTERNAL, PersonalKind.PERSONAL, frozenset({"MY"})),
)

OPENING = Opening(
    id=_ID,
    time="2026-11-22T03:00:00.125Z",
    about=About(
        tenant="default",
        caller="k_7Q2M",
        purpose="chat",
        api="chat.completions",
        model="sample",
        engine="local",
        site=Site("MY"),
        label=_LABEL,
        scan=Scan((Finding(12, 26, "MYKAD"),)),
        decision=Redact(("redact-personal",), "personal data is masked", Basis("5f" * 32, "c1" * 32)),
        packs="7d" * 32,
    ),
    prompt=Commitment.to(PROMPT, PROMPT_SALT),
    language="ms",
)
CLOSING = Closing(
    id=_ID,
    time="2026-11-22T03:00:01.410Z",
    tenant="default",
    outcome="complete",
    status=200,
    label=_LABEL,
    scan=Scan(),
    usage=Usage(31, 12, "engine"),
    answer=Commitment.to(b"Baik.", ANSWER_SALT),
    duration_ms=1285,
    first_ms=310,
)
CHANGE = Change("key.created", "01KAPQ5", "2026-11-22T03:00:02.000Z", "default", "k_7Q2M", {"key": "k_9ZXC"})


def specimens() -> dict[str, str]:
    """Every specimen by its name in the pages."""
    leaves = [entry.leaf() for entry in (OPENING, CLOSING, CHANGE)]
    hashes = [leaf_hash(leaf) for leaf in leaves]

    def read(height: int, index: int) -> bytes:
        return fold(hashes[index << height : (index + 1) << height])

    text = Checkpoint(LOG.name, len(leaves), tree_root(len(leaves), read)).text()
    note = Note(text, (LOG.sign(text), WITNESS.sign(text, 1_795_316_403)))
    proof = UnverifiedProof(leaves[0], 0, tuple(inclusion_proof(0, len(leaves), read)), note)
    head = frame.header(bytes(range(16)))
    at = frame.start(head)
    assert at is not None
    framed, _ = frame.frames(
        [frame.body(b'{"v":1,"kind":"closed","id":"R1"}', secret("answer", ANSWER_SALT))], at.chain
    )
    return {
        "entry-opened": leaves[0].decode() + "\n",
        "entry-closed": leaves[1].decode() + "\n",
        "entry-change": leaves[2].decode() + "\n",
        "checkpoint": str(note),
        "receipt": str(proof),
        "trust": f"log {LOG.key}\nwitness w1 {WITNESS.key}\nquorum w1\n",
        "journal": _hex(head + framed),
    }


def _hex(data: bytes) -> str:
    lines = []
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{at:08x}  {row.hex(' '):<47}  {shown}\n")
    return "".join(lines)


def blocks(page: str) -> dict[str, str]:
    """The specimens that a page shows."""
    return dict(BLOCK.findall(page))


def renew(page: str) -> str:
    """The page with its specimens made anew."""
    made = specimens()

    def replace(match: re.Match[str]) -> str:
        return match[0].replace(match[2], made.get(match[1], match[2]))

    return BLOCK.sub(replace, page)


if __name__ == "__main__":
    for path in sorted(PAGES.glob("*.md")):
        path.write_text(renew(path.read_text("utf-8")), "utf-8")
