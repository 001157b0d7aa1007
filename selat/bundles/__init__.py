"""Air-gap bundles: models, documents, policy and wheels in one folder or tar, under a signed cover."""

from __future__ import annotations

from selat.bundles.cover import COVER, Cover, parse_cover, read_keys, sign_cover
from selat.bundles.manifest import MANIFEST, Item, Manifest, item_of, parse_manifest
from selat.bundles.opened import Opened, open_bundle, read_item
from selat.bundles.write import Piece, check_place, write_bundle

__all__ = [
    "COVER",
    "MANIFEST",
    "Cover",
    "Item",
    "Manifest",
    "Opened",
    "Piece",
    "check_place",
    "item_of",
    "open_bundle",
    "parse_cover",
    "parse_manifest",
    "read_item",
    "read_keys",
    "sign_cover",
    "write_bundle",
]
