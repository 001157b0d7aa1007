"""Merkle trees agree with the definition and with the published test vectors, and refuse false proofs."""

from __future__ import annotations

import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selat.core.errors import LedgerBroken
from selat.core.tree import (
    consistency_proof,
    fold,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_from_inclusion,
    root_of,
    tree_root,
    verify_consistency,
)

# The inputs and roots that Certificate Transparency implementations share as test vectors.
INPUTS = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def defined(leaves: list[bytes]) -> bytes:
    """MTH exactly as RFC 9162 section 2.1.1 writes it."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(defined(leaves[:split]), defined(leaves[split:]))


def reader(leaves: list[bytes]):  # type: ignore[no-untyped-def]
    hashes = [leaf_hash(leaf) for leaf in leaves]
    return lambda height, index: fold(hashes[index << height : (index + 1) << height])


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_the_shared_vectors(size: int) -> None:
    assert root_of([leaf_hash(leaf) for leaf in INPUTS[:size]]).hex() == ROOTS[size - 1]


def test_the_empty_tree_is_the_hash_of_nothing() -> None:
    assert root_of([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


sizes = st.integers(1, 300)


@given(sizes, st.data())
def test_every_leaf_proves_its_place_and_no_other(size: int, data: st.DataObject) -> None:
    leaves = [b"%d" % number for number in range(size)]
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, reader(leaves))
    root = defined(leaves)
    assert tree_root(size, reader(leaves)) == root
    assert root_from_inclusion(leaf_hash(leaves[index]), index, size, proof) == root
    assert root_from_inclusion(leaf_hash(b"other"), index, size, proof) != root
    if proof:
        place = data.draw(st.integers(0, len(proof) - 1))
        wrong = [*proof[:place], bytes(32), *proof[place + 1 :]]
        assert root_from_inclusion(leaf_hash(leaves[index]), index, size, wrong) != root
        with pytest.raises(LedgerBroken):
            root_from_inclusion(leaf_hash(leaves[index]), index, size, proof[:-1])
    with pytest.raises(LedgerBroken):
        root_from_inclusion(leaf_hash(leaves[index]), index, size, [*proof, bytes(32)])
    other = data.draw(st.integers(0, size - 1))
    if other != index:
        with contextlib.suppress(LedgerBroken):
            assert root_from_inclusion(leaf_hash(leaves[index]), other, size, proof) != root


@given(sizes, st.data())
def test_a_tree_extends_its_past_and_no_other(size: int, data: st.DataObject) -> None:
    leaves = [b"%d" % number for number in range(size)]
    old = data.draw(st.integers(0, size))
    proof = consistency_proof(old, size, reader(leaves))
    past, now = (old, defined(leaves[:old])), (size, defined(leaves))
    verify_consistency(past, now, proof)
    if old:
        with pytest.raises(LedgerBroken):
            verify_consistency((old, bytes(32)), now, proof)
        with pytest.raises(LedgerBroken):
            verify_consistency(past, (size, bytes(32)), proof)
    with pytest.raises(LedgerBroken):
        verify_consistency(past, now, [*proof, bytes(32)])
    if proof:
        with pytest.raises(LedgerBroken):
            verify_consistency(past, now, proof[:-1])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 5)])
def test_a_leaf_outside_the_tree_has_no_proof(index: int, size: int) -> None:
    with pytest.raises(LedgerBroken):
        inclusion_proof(index, size, reader([b"x"] * 5))
    with pytest.raises(LedgerBroken):
        root_from_inclusion(bytes(32), index, size, [])


def test_a_shrinking_tree_is_refused() -> None:
    with pytest.raises(LedgerBroken):
        consistency_proof(3, 2, reader([b"x"] * 3))
    with pytest.raises(LedgerBroken):
        verify_consistency((3, bytes(32)), (2, bytes(32)), [])
