"""shelf: where a home keeps its models, and whose signatures count for them, by its settings."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from selat.home import Home
from selat.models import ModelStore
from selat.models.bucket import Shared
from selat.models.vouch import Signatures, read_signatures
from selat.s3 import Client, Wish
from selat.settings import Settings

KEY_FILE = "models.toml"


def models_of(home: Home, said: Settings) -> ModelStore:
    """The models that a home holds: in its folder, or in the bucket of `model_store`. Raises: Misused."""
    wish = Wish("model_store", said.model_store, said.model_store_endpoint, said.model_store_region)
    bucket = wish.read(home.keys / KEY_FILE, os.environ)
    if bucket is None:
        return ModelStore(home.models)

    def named(path: str) -> bool:
        return home.engines.exists() and path in home.engines.read_text("utf-8")

    title = f"s3://{bucket.name}/{bucket.prefix} at {urlsplit(bucket.endpoint).netloc}"
    return ModelStore(home.models, Shared(Client(bucket), title, said.model_cache_mb << 20, named))


def signatures_of(home: Home, said: Settings) -> Signatures:
    """Whose signatures of models count, and which models must have one. Raises: Misused."""
    return read_signatures(home.path, said.model_signers, said.model_require_signed)
