"""Styles, scripts and pictures: read once, compressed once, named by their hash so that browsers keep them."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from selat.core.errors import NotFound

FOLDER = Path(__file__).parent / "assets"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
FOREVER = {"cache-control": "public, max-age=31536000, immutable", "vary": "accept-encoding"}


@cache
def _files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.suffix in TYPES}


@cache
def build() -> str:
    """The hash of them all: one folder of the URL, so that modules find each other by plain relative names."""
    digest = hashlib.sha256()
    for name, data in _files().items():
        digest.update(f"{name} {len(data)}\n".encode() + data)
    return digest.hexdigest()[:12]


@cache
def compressed(name: str) -> bytes:
    return gzip.compress(_files()[name], 9, mtime=0)


def url(name: str) -> str:
    """Where a page finds an asset. Raises: KeyError, for one that is not there."""
    assert name in _files(), f"no asset {name}"
    return f"/assets/{build()}/{name}"


async def serve(request: Request) -> Response:
    """GET /assets/{build}/{name}. An old build gets today's file, which is not kept."""
    name = request.path_params["name"]
    if name not in _files():
        raise NotFound("no such asset")
    headers = dict(FOREVER) if request.path_params["build"] == build() else {"cache-control": "no-cache"}
    data = _files()[name]
    if "gzip" in request.headers.get("accept-encoding", ""):
        data = compressed(name)
        headers["content-encoding"] = "gzip"
    return Response(data, media_type=TYPES[Path(name).suffix], headers=headers)
