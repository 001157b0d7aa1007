"""Pages of the vault: the secrets of a tenant's neighbouring leaves, sealed as one."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from selat.core.errors import LedgerBroken

NONCE_BYTES = 12
CONTENT = ".text"
_MOST, _MOST_BYTES = 256, 64 * 1024
_encode = msgspec.msgpack.Encoder().encode


class Secret(NamedTuple):
    """A secret of leaf `leaf`; `time` is the entry's, for retention. Names ending in `.text` hold content."""

    leaf: int
    receipt: str
    tenant: str
    time: str
    name: str
    value: bytes

    @property
    def is_content(self) -> bool:
        return self.name.endswith(CONTENT)


Row = tuple[int, str, str, str, bytes]
"""A secret as its tenant's page holds it: leaf, receipt, time, name, value."""

Group = tuple[str, Sequence[Row]]
"""A tenant, and all secrets of a leaf of its, or of several neighbouring ones."""

_TIME, _NAME, _VALUE = map(itemgetter, (2, 3, 4))
_decode = msgspec.msgpack.Decoder(list[Row]).decode


class Page(NamedTuple):
    """A row: leaves `first` to `last` of a tenant, entry times `earliest` to `latest`, how many secrets it holds.

    A leaf's secrets are in one page, and the pages of a tenant do not overlap.
    """

    tenant: str
    first: int
    last: int
    earliest: str
    latest: str
    held: int
    texts: int
    sealed: bytes


def grouped(held: Iterable[Secret]) -> Iterator[Group]:
    """Secrets, given by ascending leaf, as `pages` takes them."""
    for (_, tenant), of_leaf in groupby(held, key=lambda one: (one.leaf, one.tenant)):
        yield tenant, rows_of(of_leaf)


def rows_of(held: Iterable[Secret]) -> list[Row]:
    return [(one.leaf, one.receipt, one.time, one.name, one.value) for one in held]


def pages(held: Iterable[Group]) -> Iterator[tuple[str, list[Row]]]:
    """In pages of one tenant and at most 256 secrets, or 64 KiB, unless one group has more."""
    open_: dict[str, list[Row]] = {}
    sizes: dict[str, int] = {}
    for tenant, rows in held:
        page, size = open_.get(tenant), sum(map(len, map(_VALUE, rows)))
        if page is not None and len(page) + len(rows) <= _MOST and sizes[tenant] + size <= _MOST_BYTES:
            page += rows
            sizes[tenant] += size
            continue
        if page is not None:
            yield tenant, page
        open_[tenant], sizes[tenant] = list(rows), size
    yield from open_.items()


def seal(cipher: AESGCM, tenant: str, rows: Sequence[Row]) -> Page:
    """These secrets of one tenant, at least one, encrypted together under a fresh nonce."""
    first, times = rows[0][0], list(map(_TIME, rows))
    content = {name for name in set(map(_NAME, rows)) if name.endswith(CONTENT)}
    texts = sum(row[3] in content for row in rows) if content else 0
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = nonce + cipher.encrypt(nonce, _encode(rows), _bound(tenant, first))
    return Page(tenant, first, rows[-1][0], min(times), max(times), len(rows), texts, sealed)


def unseal(cipher: AESGCM, page: Page) -> list[Secret]:
    """The secrets of a page. Raises: LedgerBroken, when another hand altered or moved it."""
    nonce, sealed = page.sealed[:NONCE_BYTES], page.sealed[NONCE_BYTES:]
    try:
        rows = _decode(cipher.decrypt(nonce, sealed, _bound(page.tenant, page.first)))
    except (InvalidTag, ValueError) as error:
        raise LedgerBroken(f"vault: the secrets of leaves {page.first} to {page.last} were altered") from error
    return [Secret(leaf, receipt, page.tenant, time, name, value) for leaf, receipt, time, name, value in rows]


def _bound(tenant: str, first: int) -> bytes:
    """What a page is bound to: moved to another row, it does not open."""
    return f"{first}|{tenant}".encode()
