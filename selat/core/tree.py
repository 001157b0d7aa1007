"""Merkle tree hashing and proofs as in RFC 6962 and RFC 9162, over any way of reading a stored hash."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

from selat.core.errors import LedgerBroken

Hash = bytes
HASH_BYTES = 32

ReadHash = Callable[[int, int], Hash]
"""`read(height, index)`: the hash over leaves [index * 2**height, (index + 1) * 2**height), all present."""

_sha256 = hashlib.sha256


def leaf_hash(leaf: bytes) -> Hash:
    """SHA-256 of 0x00 and the leaf. Source: RFC 9162 section 2.1.1."""
    return _sha256(b"\x00" + leaf).digest()


def leaf_hashes(leaves: Iterable[bytes]) -> list[Hash]:
    """`leaf_hash` of each."""
    return [_sha256(b"\x00" + leaf).digest() for leaf in leaves]


def node_hash(left: Hash, right: Hash) -> Hash:
    """SHA-256 of 0x01 and both children. Source: RFC 9162 section 2.1.1."""
    return _sha256(b"\x01" + left + right).digest()


def fold(hashes: list[Hash]) -> Hash:
    """The hash over 2**k neighbouring hashes of complete subtrees of one height, k >= 0."""
    while len(hashes) > 1:
        pairs = zip(hashes[::2], hashes[1::2], strict=True)
        hashes = [_sha256(b"\x01" + left + right).digest() for left, right in pairs]
    return hashes[0]


def tree_root(size: int, read: ReadHash) -> Hash:
    """The root over the first `size` leaves; SHA-256 of nothing when there are none."""
    return _sha256().digest() if size == 0 else _range_root(0, size, read)


def root_of(leaf_hashes: Iterable[Hash]) -> Hash:
    """The root over all leaf hashes given: the definition itself, for small trees and for tests."""
    hashes = list(leaf_hashes)
    return tree_root(len(hashes), lambda height, index: fold(hashes[index << height : (index + 1) << height]))


def inclusion_proof(index: int, size: int, read: ReadHash) -> list[Hash]:
    """Hashes tying leaf `index` to the root of a tree of `size` leaves, the leaf's sibling first.

    0 <= index < size; at most ceil(log2(size)) hashes, 32 bytes each.
    Source: RFC 9162 section 2.1.3.1.
    """
    if not 0 <= index < size:
        raise LedgerBroken(f"no leaf {index} in a tree of {size}")
    proof: list[Hash] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(_range_root(middle, end, read))
            end = middle
        else:
            proof.append(_range_root(start, middle, read))
            start = middle
    proof.reverse()
    return proof


def consistency_proof(old: int, new: int, read: ReadHash) -> list[Hash]:
    """Hashes showing that the tree of `new` leaves starts with the tree of `old`; empty for 0 or equal.

    Source: RFC 9162 section 2.1.4.1.
    """
    if not 0 <= old <= new:
        raise LedgerBroken(f"a tree of {new} cannot extend one of {old}")
    if old in (0, new):
        return []
    proof: list[Hash] = []
    start, end, whole = 0, new, True
    while old != end - start:
        middle = _split(end - start)
        if old <= middle:
            proof.append(_range_root(start + middle, end, read))
            end = start + middle
        else:
            proof.append(_range_root(start, start + middle, read))
            start, old, whole = start + middle, old - middle, False
    if not whole:
        proof.append(_range_root(start, end, read))
    proof.reverse()
    return proof


def root_from_inclusion(leaf: Hash, index: int, size: int, proof: list[Hash]) -> Hash:
    """The root that `proof` leads to from `leaf`: equal to the true root exactly when the leaf is there.

    Raises: LedgerBroken, when the proof has the wrong length for `index` and `size`.
    Source: RFC 9162 section 2.1.3.2.
    """
    if not 0 <= index < size:
        raise LedgerBroken(f"no leaf {index} in a tree of {size}")
    number, last, root = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise LedgerBroken(f"inclusion proof for leaf {index} of {size} has too many hashes")
        if number & 1 or number == last:
            root = node_hash(sibling, root)
            while number and not number & 1:
                number, last = number >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        number, last = number >> 1, last >> 1
    if last != 0:
        raise LedgerBroken(f"inclusion proof for leaf {index} of {size} has too few hashes")
    return root


def verify_consistency(old: tuple[int, Hash], new: tuple[int, Hash], proof: list[Hash]) -> None:
    """Check that the tree (size, root) `new` extends `old`. Raises: LedgerBroken, when it is not shown.

    Source: RFC 9162 section 2.1.4.2.
    """
    (old_size, old_root), (new_size, new_root) = old, new
    if not 0 <= old_size <= new_size:
        raise LedgerBroken(f"a tree of {new_size} cannot extend one of {old_size}")
    if old_size in (0, new_size):
        same = old_size == 0 or old_root == new_root
        if proof or not same:
            raise LedgerBroken(f"two different roots at size {old_size}, or a proof where none belongs")
        return
    path = proof if old_size & (old_size - 1) else [old_root, *proof]
    if not path:
        raise LedgerBroken("consistency proof is empty")
    number, last = old_size - 1, new_size - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    was = now = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise LedgerBroken("consistency proof has too many hashes")
        if number & 1 or number == last:
            was, now = node_hash(sibling, was), node_hash(sibling, now)
            while number and not number & 1:
                number, last = number >> 1, last >> 1
        else:
            now = node_hash(now, sibling)
        number, last = number >> 1, last >> 1
    if last != 0 or was != old_root or now != new_root:
        raise LedgerBroken(f"the tree of {new_size} does not extend the tree of {old_size}: a fork")


def _split(count: int) -> int:
    """The largest power of two below `count` (> 1)."""
    return 1 << (count - 1).bit_length() - 1


def _range_root(start: int, end: int, read: ReadHash) -> Hash:
    """The root over leaves [start, end); `start` is a multiple of the power of two at or above the length."""
    count = end - start
    if count & (count - 1) == 0:
        height = count.bit_length() - 1
        return read(height, start >> height)
    middle = start + _split(count)
    return node_hash(_range_root(start, middle, read), _range_root(middle, end, read))
