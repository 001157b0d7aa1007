"""Models in an object store, by the doors: pulled, listed, verified, given with ranges; the store going away."""

from __future__ import annotations

import http.client
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import commands
import pytest
from doors_kit import Running
from hub_server import HubServer, Repo
from models_kit import README, safetensors
from s3_server import KEYS, s3_server

from selat.s3 import Wish
from selat.s3.client import Client

WEIGHTS = safetensors(60_000_000)
FILES = {"model.safetensors": WEIGHTS, "config.json": b"{}", "README.md": README.encode()}


@pytest.fixture
def settled(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a home whose models lie in a bucket."""

    def settle(endpoint: str) -> Path:
        home = tmp_path / "home"
        (home / "keys").mkdir(parents=True, mode=0o700)
        (home / "home.toml").write_text("version = 1\n")
        (home / "selat.toml").write_text(
            f'model_store = "s3://tiles/{tmp_path.name}"\nmodel_store_endpoint = "{endpoint}"\n'
        )
        key_file = home / "keys" / "models.toml"
        key_file.write_text(f'access_key = "{KEYS.access}"\nsecret_key = "{KEYS.secret}"\n')
        key_file.chmod(0o600)
        return home

    return settle


def selat(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return commands.selat("model", *words, "--home", home, "--json")


@contextmanager
def asked(running: Running, part: str = "") -> Iterator[http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=60)
    headers = {"authorization": f"Bearer {running.key}"} | ({"range": f"bytes={part}"} if part else {})
    connection.request("GET", "/hf/a/m/resolve/main/model.safetensors", None, headers)
    response = connection.getresponse()
    try:
        yield response
    finally:
        response.close()
        connection.close()


def ask(running: Running, part: str = "") -> tuple[int, bytes, str]:
    with asked(running, part) as response:
        return response.status, response.read(), response.headers.get("content-range", "")


def test_models_in_an_object_store_until_it_goes_away(
    fresh: Callable[..., Running], settled: Callable[[str], Path]
) -> None:
    with ExitStack() as stack:
        endpoint, hub = stack.enter_context(s3_server()), stack.enter_context(HubServer(a__m=Repo(FILES)))
        home = settled(endpoint)
        running = fresh()
        done = selat(home, "pull", "a/m", "--endpoint", hub.url)
        assert done.returncode == 0, done.stderr
        model = json.loads(done.stdout)
        assert [row["name"] for row in json.loads(selat(home, "list").stdout)] == ["a/m"]
        assert json.loads(selat(home, "show", "a/m").stdout)["path"].startswith("s3://tiles/")
        assert selat(home, "verify").returncode == 0
        digest = next(file["digest"] for file in model["files"] if file["path"].endswith(".safetensors"))
        copy = home / "models" / "blobs" / "sha256" / digest[:2] / digest
        copy.unlink()
        assert ask(running) == (200, WEIGHTS, "")
        said = f"bytes 1000-5000000/{len(WEIGHTS)}"
        assert ask(running, "1000-5000000") == (206, WEIGHTS[1000:5_000_001], said)

        client = Client(Wish("x", f"s3://tiles/{home.parent.name}", endpoint, "us-east-1").bucket(KEYS))
        client.put(f"sha256/{digest[:2]}/{digest}", WEIGHTS[:-1] + b"X")
        client.close()
        status, body, _ = ask(running)
        assert (status, b"model verify" in body) == (500, True)
        found = selat(home, "verify", "a/m")
        assert (found.returncode, json.loads(found.stdout)["damaged"][0]["state"]) == (1, "changed")
        assert selat(home, "pull", "a/m", "--endpoint", hub.url).returncode == 0
        copy.unlink()
        with asked(running) as answer:
            assert answer.read(100_000) == WEIGHTS[:100_000]
            stack.close()
            with pytest.raises((http.client.IncompleteRead, ConnectionError)):
                answer.read()
    status, body, _ = ask(running)
    assert (status, b"object store" in body) == (503, True)
    failed = selat(home, "list")
    assert (failed.returncode, "object store" in failed.stderr) == (1, True)
