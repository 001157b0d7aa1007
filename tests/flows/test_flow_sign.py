"""Signed models: a signature that comes along is verified, can be asked for, and shows in passport and book."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hub_server import HubServer, Repo
from models_kit import README, gguf, pickled, safetensors

from selat.core.errors import Misused, ModelBroken, ModelRefused
from selat.flows.claims import signed_of
from selat.flows.pull import Terms, Watch, pull
from selat.flows.shelve import Claim, Shelving
from selat.models import Model, ModelStore
from selat.models.record import QUARANTINED
from selat.models.signature import Manifest
from selat.models.signers import Signer, Trust
from selat.models.sources import Hub
from selat.models.vouch import Signatures, read_signatures
from selat.models.web import Web
from selat.stamps import now

MINE = Signer(ec.generate_private_key(ec.SECP256R1()))
TRUST = Trust((MINE.key.public_key(),))
FILES = {
    "model.safetensors": safetensors(400_000),
    "other.gguf": gguf(),
    "config.json": b"{}",
    "README.md": README.encode(),
    "x.bin": pickled(2),
}


class Desk:
    """A shelf whose book is a list."""

    def __init__(self, folder: Path, *required: str, trust: Trust = TRUST) -> None:
        self.booked: list[tuple[str, dict[str, object]]] = []
        self.folder = folder
        signatures = Signatures(trust, required)
        self.shelving = Shelving(ModelStore(folder / "models"), self._record, now, signatures=signatures)

    def _record(self, kind: str, facts: dict[str, object]) -> str:
        self.booked.append((kind, facts))
        return "0" * 32

    def pull(self, hub: HubServer, *only: str, state: str = "ready") -> Model:
        return pull(self.shelving, Hub(Web(), hub.url, "a/m", "", only), Terms(state=state), Watch())


def signed(files: dict[str, bytes], **lies: bytes) -> dict[str, bytes]:
    """The files with a signature over them, or over others where it lies."""
    digests = {path: sha256(lies.get(path.partition(".")[0], data)).hexdigest() for path, data in files.items()}
    return {**files, "model.sig": MINE.sign(Manifest("m", digests))}


def refused(desk: Desk, files: dict[str, bytes], why: str) -> None:
    with HubServer(a__m=Repo(files)) as hub, pytest.raises(ModelRefused, match=why):
        desk.pull(hub)


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer(a__m=Repo(signed(FILES))) as server:
        yield server


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_signature_that_comes_along_is_verified_and_shows(desk: Desk, hub: HubServer) -> None:
    model = desk.pull(hub)
    assert model.signed.signer == MINE.name
    assert model.signed.absent == 1, "a pickle was signed, and is not kept"
    assert desk.shelving.store.model("a/m").signed == model.signed
    assert desk.booked[-1][1]["signer"] == MINE.name
    weights = next(file.digest for file in model.files if file.path.endswith(".safetensors"))
    shown = signed_of([model], weights)
    assert shown
    assert (shown.signer, shown.manifest) == (MINE.name, model.signed.manifest)
    assert signed_of([model], "") is None


def test_some_of_the_weights_may_be_asked_for(desk: Desk, hub: HubServer) -> None:
    model = desk.pull(hub, "*.gguf")
    assert model.signed.absent == 2
    assert desk.pull(hub).signed.absent == 1, "the rest came later"


def test_a_false_one_is_refused_before_the_weights_come(desk: Desk) -> None:
    with HubServer(a__m=Repo(signed(FILES, model=b"others"))) as hub:
        with pytest.raises(ModelRefused, match=r"'model.safetensors' was changed"):
            desk.pull(hub)
        assert hub.gets("model.safetensors") == []
    assert desk.booked[-1][0] == "model.refused"
    refused(desk, signed(FILES, config=b"others"), r"'config.json' was changed")
    files = signed(FILES)
    del files["README.md"]
    refused(desk, files, r"'README.md' was signed, and is missing")
    refused(desk, {**signed(FILES), "lebih.gguf": gguf()}, r"'lebih.gguf' was not signed")
    assert desk.shelving.store.models() == []


def test_one_can_be_required(tmp_path: Path, hub: HubServer) -> None:
    strict = Desk(tmp_path, "a/*")
    with HubServer(a__m=Repo(FILES)) as plain:
        with pytest.raises(ModelRefused, match=r"model_require_signed.*no model.sig"):
            strict.pull(plain)
        assert plain.gets("model.safetensors") == []
    assert strict.pull(hub).signed.signer == MINE.name
    stranger = Trust((ec.generate_private_key(ec.SECP384R1()).public_key(),))
    for trust in (stranger, Trust()):
        with pytest.raises(ModelRefused, match="does not count here"):
            Desk(tmp_path / "lain", "*", trust=trust).pull(hub)
        assert Desk(tmp_path / "bebas", "b/*", trust=trust).pull(hub).signed.signer == ""


def test_quarantine_ends_only_for_what_is_signed(tmp_path: Path, hub: HubServer) -> None:
    lax, strict = Desk(tmp_path, trust=Trust()), Desk(tmp_path, "*", trust=Trust())
    lax.pull(hub, state=QUARANTINED)
    with pytest.raises(ModelRefused, match="comes only when signed"):
        strict.shelving.admit("a/m")
    assert Desk(tmp_path, "*").shelving.admit("a/m").signed.signer == MINE.name


def test_ours_are_signed_and_stay_the_same_revision(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "kecil.gguf").write_bytes(gguf())
    model, _ = desk.shelving.add(tmp_path / "kecil.gguf", Claim("jabatan/kecil", licence="mit"))
    other, _ = desk.shelving.add(tmp_path / "kecil.gguf", Claim("jabatan/kecil", revision="f" * 40))
    beside = desk.shelving.signature(model, MINE)
    done = desk.shelving.sign(model, MINE)
    assert (done.revision, done.signed.signer) == (model.revision, MINE.name)
    assert done.file("model.sig")
    assert desk.shelving.store.model("jabatan/kecil") == other, "signing an older one makes it no newer"
    assert desk.booked[-1][0] == "model.signed"
    with pytest.raises(Misused, match="already"):
        desk.shelving.sign(done, MINE)
    assert desk.shelving.vouch(done, TRUST).signed.manifest == done.signed.manifest
    with pytest.raises(Misused, match="--signature"):
        desk.shelving.vouch(other, TRUST)
    assert desk.shelving.vouch(other, TRUST, beside).file("model.sig")
    with pytest.raises(ModelRefused):
        desk.shelving.vouch(other, Trust((ec.generate_private_key(ec.SECP256R1()).public_key(),)), beside)
    assert desk.booked[-1][0] == "model.signature_refused"


def test_what_was_changed_is_not_signed(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "kecil.gguf").write_bytes(gguf())
    model, _ = desk.shelving.add(tmp_path / "kecil.gguf", Claim("jabatan/kecil"))
    path = desk.shelving.store.blobs.path(model.files[0].digest)
    path.chmod(0o644)
    path.write_bytes(gguf())
    with pytest.raises(ModelBroken):
        desk.shelving.signature(model, MINE)
    with pytest.raises(ModelBroken):
        desk.shelving.sign(replace(model, state=QUARANTINED), MINE)


def test_settings_name_files_of_the_home(tmp_path: Path) -> None:
    public = MINE.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "a.pub").write_bytes(public)
    found = read_signatures(tmp_path, "a.pub, ", "x/*,y")
    assert found.trust.keys == TRUST.keys
    assert [found.needed(name) for name in ("x/1", "y", "z")] == [True, True, False]
    with pytest.raises(Misused, match=r"none\.pub"):
        read_signatures(tmp_path, "none.pub", "")
