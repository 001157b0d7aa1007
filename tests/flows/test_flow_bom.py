"""A vendor's BOM becomes claims, never more; ours carries what was verified here; both through the command."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import commands
import pytest
from models_kit import gguf

from selat.app import open_platform
from selat.core.errors import Misused, ModelRefused
from selat.evals.passport import ClaimedScore
from selat.evals.run import Subject
from selat.flows.bom import note_bom
from selat.flows.claims import Claims, claimed_of, scores_of
from selat.flows.shelve import Claim, Shelving
from selat.home import create_home
from selat.house import furnish
from selat.models import Lineage, Model, ModelStore
from selat.models.bom import Described, Metric, write_bom
from selat.stamps import now


class Desk:
    """A shelf whose book is a list."""

    def __init__(self, folder: Path) -> None:
        self.booked: list[tuple[str, dict[str, object]]] = []
        self.shelving = Shelving(ModelStore(folder / "models"), self._record, now)
        self.claims = Claims(folder / "passports")

    def _record(self, kind: str, facts: dict[str, object]) -> str:
        self.booked.append((kind, facts))
        return "0" * 32


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture
def model(desk: Desk, tmp_path: Path) -> Model:
    (tmp_path / "murid.gguf").write_bytes(gguf())
    return desk.shelving.add(tmp_path / "murid.gguf", Claim("penjual/murid", country="MY"))[0]


def vendors(model: Model, **changes: object) -> bytes:
    said = replace(model, vendor="Penjual", country="SG", licence="mit", lineage=Lineage(("asal/induk",)))
    bom = write_bom(
        said, Described(metrics=(Metric("tatabahasa", 0.99), Metric("MMLU", 0.7))), "1" * 32, now(), "1"
    )
    component = json.loads(bom)["metadata"]["component"] | changes
    return json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [component]}).encode()


def test_a_vendors_bom_fills_what_is_claimed_and_nothing_else(desk: Desk, model: Model) -> None:
    noted = note_bom(desk.shelving, model, desk.claims, vendors(model))
    assert (noted.filled, noted.kept, noted.scores, noted.held) == (
        ("base", "licence", "vendor"),
        ("country",),
        2,
        1,
    )
    kept = desk.shelving.store.model("penjual/murid")
    assert (kept.vendor, kept.country, kept.licence, kept.lineage.base) == (
        "Penjual",
        "MY",
        "mit",
        ("asal/induk",),
    )
    assert kept.signed.signer == ""
    weights = model.files[0].digest
    subject = Subject("murid", "tempatan", "llama", "", "murid", weights)
    desk.claims.add("murid", ClaimedScore("MMLU", 600_000, "Penjual", "kad", "2026-01-01"))
    scores = scores_of(desk.claims, [kept], subject)
    claimed = claimed_of([kept], weights, scores)
    assert (claimed.vendor, claimed.licence) == ("Penjual", "mit")
    assert sorted((one.exam, one.score, one.pack) for one in claimed.scores) == [
        ("MMLU", 600_000, ""),
        ("tatabahasa", 990_000, "tatabahasa"),
    ]
    assert desk.booked[-1][0] == "model.claimed"
    with pytest.raises(Misused, match="nothing new"):
        note_bom(desk.shelving, kept, desk.claims, vendors(model, modelCard={}))


def test_one_of_other_files_is_refused(desk: Desk, model: Model) -> None:
    other = [{"type": "file", "name": "murid.gguf", "hashes": [{"alg": "SHA-256", "content": "0" * 64}]}]
    with pytest.raises(ModelRefused, match=r"another SHA-256 of 'murid.gguf'"):
        note_bom(desk.shelving, model, desk.claims, vendors(model, components=other))
    other[0]["name"] = "lain.gguf"
    with pytest.raises(ModelRefused, match="none whose digest"):
        note_bom(desk.shelving, model, desk.claims, vendors(model, components=other))
    assert desk.claims.all() == {}
    assert note_bom(desk.shelving, model, desk.claims, vendors(model, components=[])).held == 0


def selat(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return commands.selat("model", "bom", *words, "--home", home)


def test_the_command_writes_and_reads(tmp_path: Path) -> None:
    home = create_home(tmp_path / "home")
    furnish(home)
    (tmp_path / "m.gguf").write_bytes(gguf())
    with open_platform(home.path) as platform:
        model, _ = platform.shelving().add(tmp_path / "m.gguf", Claim("a/m"))
    done = selat(home.path, "a/m", "-o", str(tmp_path / "out.json"), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "out.json").read_text())["metadata"]["component"]["version"] == model.revision
    (tmp_path / "theirs.json").write_bytes(vendors(model))
    done = selat(home.path, "a/m", "--import", str(tmp_path / "theirs.json"), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["filled"] == ["base", "country", "licence", "vendor"]
    (tmp_path / "bad.json").write_text("{")
    refused = selat(home.path, "a/m", "--import", str(tmp_path / "bad.json"))
    assert (refused.returncode, "no CycloneDX BOM" in refused.stderr) == (1, True)
