"""Pull-through: an allowed model that is missing comes into quarantine, and is given once it was admitted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hub_server import HubServer, Repo
from models_kit import README, safetensors

from selat.core.caller import Caller
from selat.core.errors import ModelBroken, NotFound
from selat.core.label import HIGHEST
from selat.flows.mirror import Mirror, RevisionUnknown, upstream_of
from selat.flows.shelve import Shelving
from selat.models import ModelStore
from selat.stamps import now

WEIGHTS = safetensors(50_000)
FILES = {"model.safetensors": WEIGHTS, "config.json": b"{}", "README.md": README.encode()}
WHO = Caller("default", "k1", clearance=HIGHEST)


class House:
    """A mirror on a shelf of its own, with a hub behind it and a book that is a list."""

    def __init__(self, folder: Path, hub: HubServer, allow: str) -> None:
        self.booked: list[tuple[str, dict[str, object]]] = []
        self.store = ModelStore(folder)
        self.shelving = Shelving(self.store, self._record, now)
        upstream = upstream_of(self.shelving, hub.url, allow, "")
        assert upstream is not None
        self.upstream = upstream
        self.mirror = Mirror(self.store, lambda kind, facts, tenant, by: self._record(kind, facts), upstream)

    def _record(self, kind: str, facts: dict[str, object]) -> str:
        self.booked.append((kind, facts))
        return "0" * 32

    def asked_until(self, word: str, name: str = "a/m", revision: str = "main") -> str:
        """Ask until the refusal says so; what it says."""
        deadline = time.monotonic() + 60
        told = ""
        while word not in told:
            assert time.monotonic() < deadline, told
            with pytest.raises(NotFound) as refused:
                self.mirror.model(WHO, name, revision)
            told = str(refused.value)
            time.sleep(0.01)
        return told


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer(a__m=Repo(FILES), b__m=Repo(FILES, card={"license": "gemma"})) as server:
        yield server


@pytest.fixture
def house(tmp_path: Path, hub: HubServer) -> Iterator[House]:
    made = House(tmp_path / "models", hub, "a/*, b/m")
    yield made
    made.upstream.close()


def test_a_missing_model_comes_into_quarantine_and_out_by_admission(house: House, hub: HubServer) -> None:
    house.asked_until("being fetched")
    house.asked_until("quarantine")
    assert house.mirror.models(WHO) == []
    (held,) = house.store.models()
    with pytest.raises(ModelBroken, match="quarantine"):
        house.store.path_of(held)
    assert hub.gets("model.safetensors") == [""]
    model = house.shelving.admit("a/m")
    assert house.mirror.model(WHO, "a/m", "main") == model
    assert house.store.path_of(model, "model.safetensors").read_bytes() == WEIGHTS
    assert [kind for kind, _ in house.booked] == ["model.added", "model.admitted"]
    assert house.booked[0][1]["state"] == "quarantined"
    assert house.shelving.admit("a/m") == model


def test_what_was_changed_in_quarantine_stays_there(house: House) -> None:
    house.asked_until("quarantine")
    (held,) = house.store.models()
    blob = house.store.blob_of(held, held.files[0])
    blob.chmod(0o644)
    blob.write_bytes(safetensors(50_000))
    with pytest.raises(ModelBroken, match="changed"):
        house.shelving.admit("a/m")
    assert house.store.model("a/m").state == "quarantined"


def test_what_is_not_allowed_is_not_asked_for(house: House, hub: HubServer) -> None:
    with pytest.raises(NotFound, match="selat model pull"):
        house.mirror.model(WHO, "c/m", "main")
    assert hub.asked == []


def test_a_licence_that_someone_must_accept_is_refused_and_not_tried_again_at_once(
    house: House, hub: HubServer
) -> None:
    told = house.asked_until("upstream did not give it", "b/m")
    assert "Gemma" in told
    asked = len(hub.asked)
    house.asked_until("upstream did not give it", "b/m")
    assert len(hub.asked) == asked
    assert house.booked[0][0] == "model.refused"
    assert house.store.models() == []


def test_a_commit_that_is_missing_of_a_model_that_is_here_is_fetched_and_a_branch_is_not(
    house: House, hub: HubServer
) -> None:
    house.asked_until("quarantine")
    house.shelving.admit("a/m")
    with pytest.raises(RevisionUnknown):
        house.mirror.model(WHO, "a/m", "lain")
    house.asked_until("upstream did not give it", revision="1" * 40)
