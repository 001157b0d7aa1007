"""Pages of the vault: the secrets of a tenant's neighbouring leaves, sealed as one."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from selat.core.errors import LedgerBroken

NONCE_BYTES = 12
CONTENT = ".text"
_MOST, _MOST_BYTES = 256, 64 * 1024
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[tuple[int, str, str, str, bytes]]).decode


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


def pages(held: Iterable[Secret]) -> Iterator[list[Secret]]:
    """Secrets, given by ascending leaf, in pages of one tenant and some 256 secrets, or 64 KiB."""
    open_: dict[str, list[Secret]] = {}
    sizes: dict[str, int] = {}
    for one in held:
        tenant = one.tenant
        page = open_.get(tenant)
        if page is None or ((len(page) >= _MOST or sizes[tenant] >= _MOST_BYTES) and one.leaf != page[-1].leaf):
            if page is not None:
                yield page
            page = open_[tenant] = []
            sizes[tenant] = 0
        page.append(one)
        sizes[tenant] += len(one.value)
    yield from open_.values()


def seal(cipher: AESGCM, held: Sequence[Secret]) -> Page:
    """These secrets of one tenant, at least one, encrypted together under a fresh nonce."""
    tenant, first, times = held[0].tenant, held[0].leaf, [one.time for one in held]
    texts = sum(one.name.endswith(CONTENT) for one in held)
    nonce = secrets.token_bytes(NONCE_BYTES)
    plain = _encode([(one.leaf, one.receipt, one.time, one.name, one.value) for one in held])
    sealed = nonce + cipher.encrypt(nonce, plain, _bound(tenant, first))
    return Page(tenant, first, held[-1].leaf, min(times), max(times), len(held), texts, sealed)


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
