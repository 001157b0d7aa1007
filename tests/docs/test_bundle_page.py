"""The bundle's page shows what the code signs, and its commands verify one; as a script this writes it anew."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from selat.bundles import (
    COVER,
    Cover,
    Manifest,
    Piece,
    item_of,
    parse_cover,
    parse_manifest,
    sign_cover,
    write_bundle,
)
from selat.core.signer import Signer

PAGE = Path(__file__).parents[2] / "docs" / "formats" / "bundle.md"
BLOCK = re.compile(r"(<!-- specimen: (bundle-[a-z]+) -->\n```[a-z]*\n)(.*?)(```\n)", re.DOTALL)
SIGNER = Signer("selat.local/2f1c9b7a04d3e856/bundle", seed=b"\x2d" * 32)
SAID = ("Signature Verified Successfully", "manifest good", "files good")
FILES = {"documents.json": b'{"documents":[],"folders":[]}', "models.json": b'{"models":[]}'}


@dataclass(frozen=True)
class Specimen:
    pieces: dict[str, Piece]
    manifest: Manifest
    note: bytes


def specimen() -> Specimen:
    pieces = {path: Piece(item_of(path, path.split(".")[0], data), data) for path, data in FILES.items()}
    manifest = Manifest.of(piece.item for piece in pieces.values())
    data = manifest.to_bytes()
    cover = Cover(
        home="selat.local/2f1c9b7a04d3e856",
        by="local",
        made="2026-11-22T03:00:00.125Z",
        key=str(SIGNER.key),
        manifest=item_of("x", "x", data).sha256,
        manifest_bytes=len(data),
        files=len(pieces),
        size_bytes=manifest.size_bytes,
        selat="0.1.0",
        label="terhad/internal/none/MY",
    )
    return Specimen(pieces, manifest, sign_cover(cover, SIGNER))


def made() -> dict[str, str]:
    shown = specimen()
    return {
        "bundle-cover": shown.note.decode(),
        "bundle-key": f"{SIGNER.key}\n",
        "bundle-manifest": shown.manifest.to_bytes().decode() + "\n",
    }


def page() -> str:
    blocks = made()
    return BLOCK.sub(lambda found: found[1] + blocks[found[2]] + found[4], PAGE.read_text("utf-8"))


def test_the_page_shows_what_the_code_writes() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: python tests/docs/test_bundle_page.py"
    shown = {found[2]: found[3] for found in BLOCK.finditer(PAGE.read_text("utf-8"))}
    cover = parse_cover(shown["bundle-cover"].encode(), [SIGNER.key])
    assert len(parse_manifest(shown["bundle-manifest"].rstrip("\n").encode()).files) == cover.files


@pytest.mark.parametrize("field", Cover.__struct_fields__)
def test_every_field_of_the_cover_is_explained(field: str) -> None:
    assert f"`{field}`" in PAGE.read_text("utf-8")


@pytest.mark.parametrize("change", ["nothing", "text", "manifest", "file"])
def test_the_commands_on_the_page_verify_a_bundle(tmp_path: Path, change: str) -> None:
    openssl = shutil.which("openssl")
    if not openssl or b"OpenSSL 3" not in subprocess.run([openssl, "version"], capture_output=True).stdout:
        pytest.skip("needs the openssl command, version 3")
    shown = specimen()
    write_bundle(tmp_path / "b", (shown.note, shown.manifest), shown.pieces, lambda size: None)
    path = tmp_path / "b" / {"text": COVER, "manifest": "manifest.json"}.get(change, "models.json")
    data = path.read_bytes()
    if change != "nothing":
        path.write_bytes(data.replace(b"terhad" if change == "text" else b"models", b"tertib", 1))
    script = PAGE.read_text("utf-8").partition("```sh\n")[2].partition("```")[0]
    script = re.sub(r"KEY='.*'", f"KEY='{SIGNER.key}'", script)
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path / "b", capture_output=True, text=True)
    told = {line for line in SAID if line in done.stdout}
    wrong = {"text": SAID[0], "manifest": SAID[1], "file": SAID[2]}
    assert wrong[change] not in told if change in wrong else told == set(SAID), done


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
