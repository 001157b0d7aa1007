"""Entries are written from parts; the bytes are those of RFC 8785, as core and an independent encoder write it."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from selat.core.caller import Site
from selat.core.canonical import canonical
from selat.core.decision import Basis, Decision, Deny, Permit, Redact
from selat.core.entry import About, Closing, Commitment, Committer, Opening, Usage
from selat.core.finding import Finding, Scan
from selat.core.label import CloudClass, Label, Official, PersonalKind

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)
KEYS = st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=8)
NUMBERS = st.integers(0, 2**53 - 1)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)
LABELS = st.builds(
    Label,
    st.sampled_from(Official),
    st.sampled_from(CloudClass),
    st.sampled_from(PersonalKind),
    st.frozensets(TEXT, max_size=3),
)
SCANS = st.builds(
    Scan,
    st.lists(st.builds(Finding, st.just(0), st.just(1), KEYS), max_size=5).map(tuple),
    st.frozensets(TEXT, max_size=3),
    st.booleans(),
)
BASES = st.builds(Basis, TEXT, TEXT, TEXT)
DECISIONS: st.SearchStrategy[Decision] = st.one_of(
    *(st.builds(kind, st.lists(TEXT, max_size=3).map(tuple), TEXT, BASES) for kind in (Permit, Redact, Deny))
)
COMMITMENTS = st.builds(Commitment.to, st.binary(max_size=9), st.binary(min_size=32, max_size=32))
ABOUTS = st.builds(
    About, *(TEXT,) * 6, st.none() | st.builds(Site, TEXT, TEXT, TEXT, TEXT), LABELS, SCANS, DECISIONS, TEXT
)
OPENINGS = st.builds(Opening, TEXT, TEXT, ABOUTS, COMMITMENTS, TEXT)
USAGES = st.builds(Usage, NUMBERS, NUMBERS, TEXT)
CLOSINGS = st.builds(
    Closing, *(TEXT,) * 4, NUMBERS, LABELS, SCANS, USAGES, COMMITMENTS, NUMBERS, st.none() | NUMBERS
)


@given(OPENINGS | CLOSINGS)
def test_an_entry_is_written_as_both_encoders_write_it(entry: Opening | Closing) -> None:
    assert entry.leaf() == canonical(entry.to_json()) == rfc8785.dumps(entry.to_json())  # type: ignore[arg-type]


@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_two_encoders_agree_to_the_byte(entry: dict[str, object]) -> None:
    assert canonical(entry) == rfc8785.dumps(entry)  # type: ignore[arg-type]


@given(st.lists(st.binary(max_size=50_000), max_size=4), st.binary(min_size=32, max_size=32))
def test_a_commitment_in_pieces_is_that_of_the_whole(pieces: list[bytes], salt: bytes) -> None:
    committer = Committer(salt)
    for piece in pieces:
        committer.update(piece)
    whole = b"".join(pieces)
    assert committer.commitment() == Commitment.to(whole, salt)
    digest = urlsafe_b64encode(hmac.digest(salt, whole, "sha256")).rstrip(b"=")
    assert committer.commitment()[:2] == (digest.decode(), len(whole))


def test_a_salt_shows_in_no_text_of_a_commitment() -> None:
    assert "SALT" not in repr(Commitment.to(b"data", b"SALT" * 8))
