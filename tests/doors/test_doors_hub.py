"""The hub protocol as its clients speak it: files with ranges and tags, listings, errors, tokens, clearance."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from doors_kit import Running
from models_kit import gguf, put, safetensors

from selat.app import open_platform
from selat.core.errors import SourceFailed
from selat.core.label import parse_label
from selat.flows.pull import Terms, Watch, pull
from selat.flows.shelve import Shelving
from selat.identity import KeyWish
from selat.models import Model, ModelStore
from selat.models.sources import Hub
from selat.models.web import Web
from selat.stamps import now

WEIGHTS = safetensors(3_000_000)
FILES = {
    "model.safetensors": WEIGHTS,
    "config.json": b"{}",
    "sub/deep/tokenizer.json": b"{}",
    "nama pelik é.txt": b"x",
}


@pytest.fixture(scope="module")
def shelf(selat: Running) -> Iterator[dict[str, Model]]:
    store = ModelStore(selat.home / "models")
    made = {
        "m": put(store, "cuba/m", FILES, licence="apache-2.0"),
        "alone": put(store, "alone", {"x.gguf": gguf()}),
        "secret": put(store, "cuba/sulit", {"x.gguf": gguf()}, label="terhad/internal/none/MY"),
        "held": put(store, "cuba/kuarantin", {"x.gguf": gguf()}, state="quarantined"),
        "quants": put(store, "cuba/q", {f"q-{kind}.gguf": gguf() for kind in ("Q4_K_M", "Q8_0", "mmproj-F16")}),
    }
    yield made
    for model in made.values():
        store.remove(model)


@pytest.fixture(scope="module")
def low_key(selat: Running) -> str:
    with open_platform(selat.home) as platform:
        return platform.create_key(KeyWish("rendah", frozenset({"builder"}), parse_label("terbuka"))).secret


def ask(
    selat: Running, path: str, method: str = "GET", body: str | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", selat.port, timeout=60)
    sent = {
        "authorization": f"Bearer {selat.key}",
        **{name.replace("_", "-"): text for name, text in headers.items()},
    }
    try:
        connection.request(method, f"/hf{path}", body, sent)
        response = connection.getresponse()
        return response.status, {name.lower(): text for name, text in response.getheaders()}, response.read()
    finally:
        connection.close()


def ask_json(selat: Running, path: str, **headers: str) -> Any:
    status, _, body = ask(selat, path, **headers)
    assert status == 200, body
    return json.loads(body)


def test_a_file_comes_whole_with_what_clients_hold_it_to(selat: Running, shelf: dict[str, Model]) -> None:
    status, head, body = ask(selat, "/cuba/m/resolve/main/model.safetensors")
    assert (status, body) == (200, WEIGHTS)
    digest = hashlib.sha256(WEIGHTS).hexdigest()
    assert head["etag"] == head["x-linked-etag"] == f'"{digest}"'
    assert head["x-repo-commit"] == shelf["m"].revision
    assert head["x-linked-size"] == head["content-length"] == str(len(WEIGHTS))
    assert head["accept-ranges"] == "bytes"
    leaf = selat.leaves_of(head["selat-receipt"], "model.given")
    assert leaf["facts"] == {"model": "cuba/m", "revision": shelf["m"].revision, "file": digest}
    for revision in (shelf["m"].revision, shelf["m"].revision[:9]):
        assert ask(selat, f"/cuba/m/resolve/{revision}/config.json")[2] == b"{}"
    assert ask(selat, "/cuba/m/resolve/main/nama%20pelik%20%C3%A9.txt")[2] == b"x"
    assert ask(selat, "/alone/resolve/main/x.gguf")[0] == 200


def test_head_says_the_same_without_a_body(selat: Running, shelf: dict[str, Model]) -> None:
    status, head, body = ask(selat, "/cuba/m/resolve/main/model.safetensors", "HEAD")
    assert (status, body, head["content-length"]) == (200, b"", str(len(WEIGHTS)))
    status, head, body = ask(selat, "/cuba/m/resolve/main/tiada.json", "HEAD")
    assert (status, head["x-error-code"], body) == (404, "EntryNotFound", b"")
    assert head["x-repo-commit"] == shelf["m"].revision


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [("bytes=0-9", 0, 10), ("bytes=100-", 100, None), ("bytes=-7", -7, None), ("bytes=5-99999999", 5, None)],
)
def test_ranges_are_given(
    selat: Running, shelf: dict[str, Model], wanted: str, start: int, end: int | None
) -> None:
    status, head, body = ask(selat, "/cuba/m/resolve/main/model.safetensors", range=wanted)
    assert status == 206
    assert body == WEIGHTS[start:end]
    first = start % len(WEIGHTS)
    assert head["content-range"] == f"bytes {first}-{first + len(body) - 1}/{len(WEIGHTS)}"


def test_ranges_that_are_none_give_the_whole_and_impossible_ones_416(
    selat: Running, shelf: dict[str, Model]
) -> None:
    place = "/cuba/m/resolve/main/model.safetensors"
    for wanted in ("bytes=-", "bytes=9-3", "bytes=0-1,5-9", "lines=1-2", "bytes=x-"):
        status, head, body = ask(selat, place, range=wanted)
        assert (status, len(body)) == (200, len(WEIGHTS)), wanted
        assert "content-range" not in head
    for wanted in (f"bytes={len(WEIGHTS)}-", "bytes=-0", "bytes=999999999999999999-"):
        assert ask(selat, place, range=wanted)[0] == 416, wanted
    tag = hashlib.sha256(WEIGHTS).hexdigest()
    assert ask(selat, place, range="bytes=5-", if_range=f'"{tag}"')[0] == 206
    assert ask(selat, place, range="bytes=5-", if_range='"lain"')[0] == 200
    status, _, body = ask(selat, place, if_none_match=f'"{tag}"')
    assert (status, body) == (304, b"")


def test_models_trees_and_refs_are_described(selat: Running, shelf: dict[str, Model]) -> None:
    said = ask_json(selat, "/api/models/cuba/m?blobs=true")
    assert (said["id"], said["sha"], said["private"]) == ("cuba/m", shelf["m"].revision, True)
    assert said["cardData"]["license"] == "apache-2.0"
    by_name = {one["rfilename"]: one for one in said["siblings"]}
    assert by_name["model.safetensors"]["lfs"]["sha256"] == hashlib.sha256(WEIGHTS).hexdigest()
    assert ask_json(selat, "/api/models/cuba/m/revision/main")["sha"] == shelf["m"].revision

    top = {one["path"]: one["type"] for one in ask_json(selat, "/api/models/cuba/m/tree/main")}
    assert top["sub"] == "directory"
    assert "sub/deep" not in top
    deep = {one["path"]: one["type"] for one in ask_json(selat, "/api/models/cuba/m/tree/main?recursive=True")}
    assert deep["sub/deep/tokenizer.json"] == "file"
    assert deep["sub/deep"] == "directory"
    below = ask_json(selat, "/api/models/cuba/m/tree/main/sub")
    assert [one["path"] for one in below] == ["sub/deep"]
    assert ask(selat, "/api/models/cuba/m/tree/main/tiada")[1]["x-error-code"] == "EntryNotFound"
    assert ask_json(selat, "/api/models/cuba/m/refs")["branches"][0]["targetCommit"] == shelf["m"].revision
    assert {"cuba/m", "alone"} <= {one["id"] for one in ask_json(selat, "/api/models")}
    assert [one["id"] for one in ask_json(selat, "/api/models?author=cuba&search=M")] == ["cuba/m"]
    for body in ("paths=config.json&paths=tiada", '{"paths": ["config.json"]}'):
        _, _, told = ask(selat, "/api/models/cuba/m/paths-info/main", "POST", body)
        assert [one["path"] for one in json.loads(told)] == ["config.json"]
    assert ask_json(selat, "/api/whoami-v2")["type"] == "user"


def test_llama_cpp_is_told_which_file_a_quantisation_is(selat: Running, shelf: dict[str, Model]) -> None:
    assert ask_json(selat, "/v2/cuba/q/manifests/latest")["ggufFile"]["rfilename"] == "q-Q4_K_M.gguf"
    said = ask_json(selat, "/v2/cuba/q/manifests/q8_0")
    assert said["ggufFile"]["rfilename"] == "q-Q8_0.gguf"
    assert said["mmprojFile"]["rfilename"] == "q-mmproj-F16.gguf"
    assert ask(selat, "/v2/cuba/q/manifests/Q2_K")[1]["x-error-code"] == "EntryNotFound"


def test_llama_cpp_finds_its_file_with_a_token_of_the_only_form_that_it_sends(
    selat: Running, shelf: dict[str, Model]
) -> None:
    """Refs, the tree of that commit, then files; tokens begin with hf_. Source: its common/hf-cache.cpp."""
    token = "hf_" + selat.key.removeprefix("sk-selat-")
    assert re.fullmatch(r"hf_[0-9A-Za-z]{34,253}", token)
    sent = {"authorization": f"Bearer {token}", "accept": "application/json", "user-agent": "llama-cpp/b1"}
    commit = ask_json(selat, "/api/models/cuba/q/refs", **sent)["branches"][0]["targetCommit"]
    listed = ask_json(selat, f"/api/models/cuba/q/tree/{commit}?recursive=true", **sent)
    assert all(re.fullmatch(r"[0-9a-f]{64}", one["lfs"]["oid"]) for one in listed if one["type"] == "file")
    status, head, body = ask(selat, f"/cuba/q/resolve/{commit}/q-Q8_0.gguf", **sent)
    assert (status, body[:4]) == (200, b"GGUF")
    assert hashlib.sha256(body).hexdigest() in head["etag"]
    assert isinstance(json.loads(ask(selat, "/api/models/cuba/x/refs", **sent)[2])["error"], str)
    assert ask(selat, "/api/models/cuba/q/refs", authorization="Bearer hf_" + "x" * 40)[0] == 401


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/models/cuba/tiada", "RepoNotFound"),
        ("/api/models/cuba/m/revision/lain", "RevisionNotFound"),
        ("/cuba/m/resolve/" + "0" * 40 + "/config.json", "RevisionNotFound"),
        ("/cuba/m/resolve/main/tiada", "EntryNotFound"),
        ("/cuba/m/resolve/main/../../../etc/passwd", "EntryNotFound"),
        ("/cuba/m/resolve/main/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "EntryNotFound"),
        ("/..%2f..%2fledger/resolve/main/x", "RepoNotFound"),
        ("/nothing", "RepoNotFound"),
    ],
)
def test_what_is_not_there_is_told_in_the_hub_s_codes(
    selat: Running, shelf: dict[str, Model], path: str, code: str
) -> None:
    status, head, _ = ask(selat, path)
    assert (status, head["x-error-code"]) == (404, code)


def test_only_a_key_opens_it_and_only_the_cleared_see_a_labelled_model(
    selat: Running, shelf: dict[str, Model], low_key: str
) -> None:
    assert ask(selat, "/api/models", authorization="Bearer hf_salah")[0] == 401
    connection = http.client.HTTPConnection("127.0.0.1", selat.port, timeout=60)
    connection.request("GET", "/hf/cuba/m/resolve/main/config.json")
    assert connection.getresponse().status == 401
    connection.close()

    low = {"authorization": f"Bearer {low_key}"}
    assert ask(selat, "/cuba/sulit/resolve/main/x.gguf")[0] == 200
    assert ask(selat, "/cuba/sulit/resolve/main/x.gguf", **low)[1]["x-error-code"] == "RepoNotFound"
    assert "cuba/sulit" not in {one["id"] for one in ask_json(selat, "/api/models", **low)}
    assert ask(selat, "/cuba/m/resolve/main/config.json", **low)[0] == 200
    status, head, _ = ask(selat, "/cuba/kuarantin/resolve/main/x.gguf")
    assert (status, head["x-error-code"]) == (404, "RepoNotFound")
    assert "quarantine" in head["x-error-message"]
    assert "cuba/kuarantin" not in {one["id"] for one in ask_json(selat, "/api/models")}


def test_a_changed_file_is_not_given(selat: Running, shelf: dict[str, Model]) -> None:
    store = ModelStore(selat.home / "models")
    model = put(store, "cuba/rosak", {"x.gguf": gguf()})
    try:
        blob = store.blob_of(model, model.files[0])
        blob.chmod(0o644)
        blob.write_bytes(gguf(100))
        status, head, body = ask(selat, "/cuba/rosak/resolve/main/x.gguf")
        assert status == 500
        assert b"GGUF" not in body
        assert "verify" in head["x-error-message"]
    finally:
        store.remove(model)


def test_other_methods_are_refused_and_a_connection_serves_many(selat: Running, shelf: dict[str, Model]) -> None:
    status, head, _ = ask(selat, "/cuba/m/resolve/main/config.json", "PUT", "x")
    assert (status, head["allow"]) == (405, "GET, HEAD")
    connection = http.client.HTTPConnection("127.0.0.1", selat.port, timeout=60)
    for method in ("HEAD", "GET", "GET"):
        place = "/hf/cuba/m/resolve/main/model.safetensors"
        connection.request(method, place, headers={"authorization": f"Bearer {selat.key}"})
        response = connection.getresponse()
        assert len(response.read()) == (len(WEIGHTS) if method == "GET" else 0)
    connection.close()


def test_a_caller_who_leaves_in_the_middle_harms_nobody(selat: Running, shelf: dict[str, Model]) -> None:
    for _ in range(5):
        connection = http.client.HTTPConnection("127.0.0.1", selat.port, timeout=60)
        place = "/hf/cuba/m/resolve/main/model.safetensors"
        connection.request("GET", place, headers={"authorization": f"Bearer {selat.key}"})
        connection.getresponse().read(1000)
        connection.close()
    assert ask(selat, "/cuba/m/resolve/main/model.safetensors")[2] == WEIGHTS


def ask_admin(selat: Running, path: str, key: str = "", body: Any = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", selat.port, timeout=60)
    data = None if body is None else json.dumps(body)
    method = "GET" if body is None else "POST"
    connection.request(method, f"/admin/v1/models{path}", data, {"authorization": f"Bearer {key or selat.key}"})
    response = connection.getresponse()
    told = response.status, json.loads(response.read())
    connection.close()
    return told


def test_the_admin_api_shows_the_shelf_within_the_callers_clearance(
    selat: Running, shelf: dict[str, Model], low_key: str
) -> None:
    status, rows = ask_admin(selat, "")
    assert status == 200
    by_name = {row["name"]: row for row in rows}
    assert by_name["cuba/m"]["licence"]["permissive"] is True
    assert by_name["cuba/kuarantin"]["state"] == "quarantined"
    assert by_name["cuba/m"]["size_bytes"] == sum(map(len, FILES.values()))
    status, whole = ask_admin(selat, "/show?name=cuba/m")
    assert status == 200
    assert {one["path"] for one in whole["files"]} == set(FILES)
    assert ask_admin(selat, "/show?name=tiada")[0] == 404
    assert "cuba/sulit" in by_name
    assert "cuba/sulit" not in {row["name"] for row in ask_admin(selat, "", low_key)[1]}
    assert ask_admin(selat, "/show?name=cuba/sulit", low_key)[0] == 404


def test_only_an_officer_lets_a_model_out_of_quarantine(selat: Running, shelf: dict[str, Model]) -> None:
    wish = KeyWish("pegawai", frozenset({"officer"}), parse_label("terhad/internal/none/MY"))
    with open_platform(selat.home) as platform:
        made = platform.create_key(wish)
    store = ModelStore(selat.home / "models")
    held = put(store, "cuba/baru", {"x.gguf": gguf()}, state="quarantined")
    try:
        asked = {"name": "cuba/baru", "reason": "disemak oleh jawatankuasa"}
        assert ask_admin(selat, "/admit", body=asked)[0] == 403
        status, check = ask_admin(selat, "/admit", made.secret, asked)
        assert (status, check["by"], check["does"]) == (202, made.record.id, "admit")
        for _ in range(600):
            card = ask_admin(selat, "/show?name=cuba/baru")[1]["card"]
            if card["state"] == "ready":
                break
            time.sleep(0.1)
        assert selat.leaves_of(card["receipt"], "model.admitted")["caller"] == made.record.id
        assert ask(selat, "/cuba/baru/resolve/main/x.gguf")[0] == 200
    finally:
        store.remove(held)


def test_another_selat_pulls_from_the_mirror_with_a_key(
    selat: Running, shelf: dict[str, Model], tmp_path: Path
) -> None:
    there, told = ModelStore(tmp_path / "models"), []
    shelving = Shelving(there, lambda kind, facts: told.append(kind) or "0" * 32, now)  # type: ignore[func-returns-value]
    source = Hub(Web(selat.key), f"{selat.address}/hf", "cuba/m", "main")
    model = pull(shelving, source, Terms(), Watch())
    assert (model.revision, model.licence) == (shelf["m"].revision, "apache-2.0")
    assert {file.path: there.blob_of(model, file).read_bytes() for file in model.files} == FILES
    assert told == ["model.added"]
    with pytest.raises(SourceFailed, match="token"):
        Hub(Web("sk-selat-salah"), f"{selat.address}/hf", "cuba/m", "main").offer()
