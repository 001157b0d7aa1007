"""Pulls that go on by themselves: seen before they begin, found again, stopped, resumed, told when they end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
import waiting
from hub_server import HubServer, Repo
from models_kit import README, safetensors

from selat.app import Platform
from selat.core.errors import Misused, NotFound
from selat.home import create_home
from selat.house import furnish
from selat.models.pulls import Pull, Wish
from selat.models.tasks import DONE, FAILED, RUNNING, STOPPED

WEIGHTS = safetensors(20_000_000)
FILES = {"model.safetensors": WEIGHTS, "config.json": b"{}", "README.md": README.encode()}
SMALL = sum(map(len, FILES.values())) - len(WEIGHTS)
"""What comes whole before the weights, or after them."""
CLOSED = {"license": "other"}
BY = "per_" + "0" * 20


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer(a__m=Repo(FILES), a__closed=Repo(FILES, card=CLOSED)) as server:
        yield server


@pytest.fixture
def platform(tmp_path: Path, hub: HubServer) -> Iterator[Platform]:
    home = create_home(tmp_path / "home")
    (home.path / "selat.toml").write_text(f'model_hub = "{hub.url}"\n')
    furnish(home)
    made = Platform(home, "test")
    yield made
    for one in made.pulling.runner.tasks.all():
        if made.pulling.runner.tasks.at_work(one.id):
            made.pulling.runner.tasks.ask_to_stop(one.id)
            until(made, one, STOPPED, FAILED, DONE)
    made.pulling.runner.end()
    made.close()


def begun(platform: Platform, wish: Wish) -> Pull:
    return platform.pulling.begin(wish, platform.pulling.look(wish).digest, BY)


def until(platform: Platform, pull: Pull, *states: str) -> Pull:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = platform.pulling.runner.tasks.find(pull.id)
        if (found.state in states and not platform.pulling.runner.tasks.at_work(pull.id)) or found.interrupted:
            return found
        time.sleep(0.05)
    raise AssertionError(platform.pulling.runner.tasks.find(pull.id))


def some_bytes(platform: Platform, pull: Pull, beyond: int = 0) -> None:
    """Wait for more bytes than so many; they are told of half a second late, and only while more come."""
    waiting.until(lambda: platform.pulling.runner.tasks.progress(pull.id).done_bytes > beyond)


def test_a_look_shows_the_licence_and_the_room_and_keeps_nothing(platform: Platform) -> None:
    sight = platform.pulling.look(Wish(source="a/m"))
    assert (sight.licence.title, sight.fits) == ("Apache License 2.0", True)
    assert sight.need_bytes == sum(map(len, FILES.values())) == sight.offer.size_bytes
    assert not (platform.home.models / "blobs").exists()
    assert platform.pulling.runner.tasks.all() == []


def test_a_pull_runs_in_a_process_of_its_own_and_its_model_is_booked_in_the_persons_name(
    platform: Platform,
) -> None:
    pull = begun(platform, Wish(source="a/m", vendor="Asal", country="MY"))
    ended = until(platform, pull, DONE)
    assert (ended.model, ended.size_bytes, ended.code) == ("a/m", sum(map(len, FILES.values())), "")
    model = platform.models.model("a/m")
    assert platform.models.path_of(model, "model.safetensors").read_bytes() == WEIGHTS
    assert (model.vendor, model.country, model.revision) == ("Asal", "MY", ended.revision)
    assert platform.pulling.runner.tasks.progress(pull.id).done_bytes == ended.size_bytes


def test_a_pull_is_stopped_keeps_what_came_and_goes_on_from_there(platform: Platform, hub: HubServer) -> None:
    hub.faults["model.safetensors"] = "slow:60"
    pull = begun(platform, Wish(source="a/m"))
    some_bytes(platform, pull, SMALL)
    with pytest.raises(Misused, match="already"):
        begun(platform, Wish(source="a/m"))
    platform.pulling.stop(pull.id, BY)
    assert until(platform, pull, STOPPED).state == STOPPED
    with pytest.raises(Misused, match="not running"):
        platform.pulling.stop(pull.id, BY)
    with pytest.raises(NotFound):
        platform.models.model("a/m")
    hub.faults.clear()
    before = len(hub.gets("model.safetensors"))
    assert platform.pulling.resume(pull.id, BY).state == RUNNING
    assert until(platform, pull, DONE).state == DONE
    asked = hub.gets("model.safetensors")[before:]
    assert asked[0].startswith("bytes=")
    with pytest.raises(Misused, match="done"):
        platform.pulling.resume(pull.id, BY)


def test_a_source_that_says_nothing_does_not_hold_up_a_stop(platform: Platform, hub: HubServer) -> None:
    hub.faults["model.safetensors"] = "stalls:100"
    pull = begun(platform, Wish(source="a/m"))
    waiting.until(lambda: hub.gets("model.safetensors"))  # what came just before the silence may go untold
    platform.pulling.stop(pull.id, BY)
    assert until(platform, pull, STOPPED).state == STOPPED


def test_a_pull_whose_gateway_is_gone_is_interrupted_and_can_be_resumed(
    platform: Platform, hub: HubServer
) -> None:
    hub.faults["model.safetensors"] = "slow:60"
    pull = begun(platform, Wish(source="a/m"))
    some_bytes(platform, pull)
    platform.pulling.runner.end()
    found = until(platform, pull, STOPPED)
    assert (found.state, found.interrupted) == (RUNNING, True)
    hub.faults.clear()
    platform.pulling.resume(pull.id, BY)
    assert until(platform, pull, DONE).state == DONE


def test_a_pull_that_said_how_it_ended_is_begun_again_also_while_its_process_still_leaves(
    platform: Platform, hub: HubServer
) -> None:
    hub.faults["model.safetensors"] = "lies"
    pull = begun(platform, Wish(source="a/m"))
    until(platform, pull, FAILED)
    hub.faults.clear()
    leaving, gone = threading.Event(), threading.Event()

    def leave_late() -> None:
        with platform.pulling.runner.tasks.locked(pull.id):
            leaving.set()
            gone.wait(0.5)

    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(leave_late)
        assert leaving.wait(60)
        assert platform.pulling.resume(pull.id, BY).state == RUNNING
        late.result()
    assert until(platform, pull, DONE).state == DONE


def test_what_changed_since_it_was_shown_is_not_pulled(platform: Platform, hub: HubServer) -> None:
    wish = Wish(source="a/m")
    shown = platform.pulling.look(wish).digest
    hub.repos["a/m"] = Repo({**FILES, "config.json": b'{"lain": 1}'}, commit="beef" + "0" * 36)
    ended = until(platform, platform.pulling.begin(wish, shown, BY), FAILED)
    assert ended.code == "model_refused"
    assert "look at it again" in ended.reason
    assert not any((platform.home.models / "blobs").rglob("*"))


def test_a_licence_that_forbids_is_not_pulled_unless_it_was_accepted(platform: Platform) -> None:
    wish = Wish(source="a/closed")
    assert not platform.pulling.look(wish).licence.permissive
    assert until(platform, begun(platform, wish), FAILED).code == "model_refused"
    accepted = msgspec.structs.replace(wish, accepted=True)
    assert until(platform, begun(platform, accepted), DONE).model == "a/closed"


@pytest.mark.parametrize(
    "source", ["/etc", "./x", "~/x", "https://u:p@hub.example/m#sha256=" + "0" * 64, "a\nb", ""]
)
def test_a_page_pulls_from_hubs_and_the_web_and_from_nowhere_else(platform: Platform, source: str) -> None:
    for does in (platform.pulling.look, lambda wish: platform.pulling.begin(wish, "", BY)):
        with pytest.raises(Exception, match=r"folder|user or password|source is"):
            does(Wish(source=source))
    assert platform.pulling.runner.tasks.all() == []


def test_only_so_many_run_at_once_and_records_do_not_pile_up(platform: Platform) -> None:
    pulls = platform.pulling.runner.tasks
    for number in range(30):
        pulls.save(Pull(id=f"{number:032x}", wish=Wish(source="a/m"), shown="", by=BY, began="", state=DONE))
    begun_ = begun(platform, Wish(source="a/m"))
    assert until(platform, begun_, DONE).state == DONE
    assert len(pulls.all()) == 21
    with pytest.raises(NotFound):
        pulls.find("../../etc/passwd")
