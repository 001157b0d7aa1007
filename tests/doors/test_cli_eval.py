"""`selat eval` as a command: an exam sat, killed, resumed, shown and compared."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import commands
import pytest

from selat.evals import Pack, find_pack
from selat.evals.load import PACKS
from selat.evals.store import Store
from selat.home import create_home
from selat.house import furnish
from selat.testing import Upstream
from selat.testing.behaviours import BEHAVIOURS, Exchange
from selat.testing.exam import exam, is_right, register

MODELS = {
    "murid": "exam:0.8",
    "murid-2": "exam:0.8",
    "murid-3": "exam:0.8",
    "murid-lain": "exam:0.5,b",
    "lambat": "exam:1,c,0.05",
}


@pytest.fixture(scope="module")
def pack() -> Pack:
    found = find_pack("tatabahasa")
    register([found])
    return found


@pytest.fixture(scope="module")
def upstream(pack: Pack) -> Iterator[Upstream]:
    with Upstream() as server:
        yield server


@pytest.fixture(scope="module")
def home(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = create_home(tmp_path_factory.mktemp("eval") / "home")
    furnish(made)
    models = "".join(f'"{public}" = "{name}"\n' for public, name in MODELS.items())
    made.engines.write_text(
        f'[[engine]]\nname = "dekat"\nkind = "openai"\nurl = "{upstream.url}"\n'
        f'site = {{ jurisdiction = "MY" }}\n[engine.models]\n{models}'
        '[[engine]]\nname = "mati"\nkind = "openai"\nurl = "http://127.0.0.1:9/v1"\n'
        'site = { jurisdiction = "MY" }\n[engine.models]\n"mati" = "mati"\n'
    )
    return made.path


def command(home: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "selat", "eval", *words, "--home", str(home)]


def selat(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return commands.selat("eval", *words, "--home", home)


def result(home: Path, *words: str) -> Any:
    done = selat(home, *words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_packs_are_listed(home: Path, pack: Pack) -> None:
    found = {row["name"]: row for row in result(home, "list")}
    assert found["tatabahasa"]["digest"] == pack.digest
    assert found["tatabahasa"]["items"] == len(pack.items)
    assert "tatabahasa" in selat(home, "list").stdout


def test_an_exam_is_sat_shown_and_compared(home: Path, pack: Pack) -> None:
    first = result(home, "run", "--model", "murid", "--pack", "tatabahasa")
    second = result(home, "run", "--model", "murid-lain", "--pack", "tatabahasa")
    score = first["results"][0]["score"]
    assert score["mean"] == pytest.approx(sum(is_right(i, 0.8) for i in pack.items) / len(pack.items), abs=1e-6)
    assert result(home, "show", first["run"]["id"]) == first
    [compared] = result(home, "compare", first["run"]["id"], second["run"]["id"])
    assert compared["n"] == len(pack.items)
    said = selat(home, "compare", first["run"]["id"], second["run"]["id"]).stdout
    assert compared["verdict"] in said
    assert "McNemar p" in said
    assert f"{score['mean']:.1%}" in selat(home, "show", first["run"]["id"]).stdout
    assert [row["state"] for row in result(home, "list", "--runs")] == ["complete", "complete"]


_NO_RAY = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="no Ray here: make test-ray")


@pytest.mark.parametrize(
    ("pool", "model"), [("processes:2", "murid-2"), pytest.param("ray:2", "murid-3", marks=_NO_RAY)]
)
def test_every_pool_gives_the_same_scores_decided_and_booked(
    home: Path, upstream: Upstream, pack: Pack, pool: str, model: str
) -> None:
    before = len(upstream.received)
    found = result(home, "run", "--model", model, "--pack", "tatabahasa", "--pool", pool)
    assert (found["run"]["state"], found["run"]["asked"]) == ("complete", len(pack.items))
    assert len(upstream.received) - before == len(pack.items), "each sample is asked once"
    known = result(home, "run", "--model", "murid", "--pack", "tatabahasa")
    assert found["results"] == known["results"]
    with closing(Store(home / "evals" / "evals.db")) as store:
        scored = store.scored(found["run"]["id"])
        replies = store.replies(found["run"]["subject"], [one.sample for one in scored])
    book = b"".join(path.read_bytes() for path in (home / "ledger").rglob("*") if path.is_file())
    assert all(reply.receipt.encode() in book for reply in replies.values())


def test_progress_is_told_in_lines_where_there_is_no_terminal(home: Path, pack: Pack) -> None:
    words = ("run", "--model", "lambat", "--pack", "tatabahasa", "--at-once", "1", "--template", "arahan")
    code = "import selat.cli.eval as e, selat.cli as c; e._TELL_EVERY_S = 0.5; c.main()"
    command_ = [sys.executable, "-c", code, "eval", *words, "--home", str(home)]
    said = subprocess.run(command_, capture_output=True, text=True, timeout=120).stderr
    assert re.search(rf"\d+ of {len(pack.items)}, [\d.]+/s, about \d+ s left", said), said


def test_a_run_and_its_end_are_in_the_ledger(home: Path) -> None:
    result(home, "run", "--model", "murid", "--pack", "tatabahasa")
    text = b"".join(path.read_bytes() for path in (home / "ledger").rglob("*") if path.is_file()).decode(
        "utf-8", "replace"
    )
    assert '"kind":"eval.finished"' in text
    assert '"purpose":"eval"' in text


def test_an_engine_that_does_not_answer_is_named_and_nothing_is_scored(home: Path) -> None:
    done = selat(home, "run", "--model", "mati", "--pack", "tatabahasa", "--max-samples", "1")
    assert done.returncode == 1
    assert "1 failed, the last because engine 'mati': cannot connect" in done.stderr
    assert re.fullmatch(r"tatabahasa +none answered, \d+ missing\n", done.stdout)


def test_runs_scored_in_different_ways_are_not_compared(home: Path) -> None:
    words = ("run", "--model", "murid", "--pack", "tatabahasa")
    one = result(home, *words)["run"]["id"]
    other = result(home, *words, "--scoring", "first-token")["run"]["id"]
    done = selat(home, "compare", one, other)
    assert done.returncode == 2
    assert "these are not compared" in done.stderr


def test_a_killed_run_goes_on_and_repeats_at_most_what_was_under_way(
    home: Path, upstream: Upstream, pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = 4
    before = len(upstream.received)
    words = ("run", "--model", "lambat", "--pack", "tatabahasa", "--at-once", str(at_once))

    async def stuck(x: Exchange) -> None:
        """Answers some, so that the run is under way for as long as it lives."""
        if len(upstream.received) - before > 25:
            await asyncio.sleep(3600)
        await exam(x)

    with monkeypatch.context() as patched:
        patched.setitem(BEHAVIOURS, "exam", stuck)
        process = subprocess.Popen(command(home, *words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert upstream.settles(lambda: len(upstream.received) - before > 25)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait(60) == -signal.SIGKILL
    assert len(upstream.received) - before < len(pack.items)
    resumed = result(home, "resume", "last")
    assert resumed["run"]["state"] == "complete"
    assert resumed["results"][0]["score"]["mean"] == 1.0
    assert len(upstream.received) - before - len(pack.items) <= at_once
    bodies = [json.loads(one.body)["messages"][-1]["content"] for one in upstream.received[before:]]
    assert len(set(bodies)) == len(pack.items)


def test_what_is_asked_wrongly_is_said(home: Path) -> None:
    done = selat(home, "run", "--model", "tiada", "--pack", "tatabahasa")
    assert (done.returncode, "no such model" in done.stderr) == (1, True)
    done = selat(home, "run", "--model", "murid", "--pack", "tiada")
    assert (done.returncode, "no pack of that name" in done.stderr) == (1, True)
    assert selat(home, "show", "ZZZ").returncode == 1


def model(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return commands.selat("model", *words, "--home", home)


def test_a_model_is_promoted_by_what_it_showed_or_told_what_it_misses(home: Path) -> None:
    result(home, "run", "--model", "murid", "--pack", "tatabahasa")
    bars = home / "promotion.toml"
    bars.write_text('[purpose.chat]\nbars = ["tatabahasa score >= 0.99", "suntikan score >= 0.5"]\n')
    refused = model(home, "promote", "murid", "--purpose", "chat")
    assert refused.returncode == 1
    assert "misses 0.99" in refused.stdout
    assert "selat eval run --pack suntikan" in refused.stdout
    bars.write_text('[purpose.chat]\nbars = ["tatabahasa lower bound >= 0.5"]\n')
    words = (
        "--exam",
        "Tatabahasa",
        "--score",
        "0.99",
        "--by",
        "Penjual",
        "--source",
        "kad",
        "--date",
        "2026-10-01",
    )
    claimed = model(home, "claim", "murid", *words, "--pack", "tatabahasa")
    assert "99.0% claimed by Penjual" in claimed.stdout, claimed.stderr
    promoted = model(home, "promote", "murid", "--purpose", "chat", "--json")
    assert promoted.returncode == 0, promoted.stderr
    assert json.loads(promoted.stdout)["promoted"] is True
    [shown] = json.loads(model(home, "passport", "murid", "--json").stdout)
    assert shown["holds"] is True
    assert shown["passport"]["results"][0]["pack"] == "tatabahasa"
    assert shown["beside"][0]["claimed"][0]["agrees"] is False
    assert "claimed 99.0% by Penjual, 2026-10-01: OUTSIDE OUR INTERVAL" in model(home, "passport", "murid").stdout
    assert model(home, "passport", "murid", "--raw").stdout.startswith("selat-passport/v1\n")
    text = (home / "engines.toml").read_text()
    (home / "engines.toml").write_text(text.replace('"murid" = "exam:0.8"', '"murid" = "exam:0.9"'))
    assert "does NOT hold" in model(home, "passport", "murid").stdout
    (home / "engines.toml").write_text(text)
    ledger = b"".join(path.read_bytes() for path in (home / "ledger").rglob("*") if path.is_file())
    assert b'"kind":"model.not_promoted"' in ledger
    assert b'"kind":"model.promoted"' in ledger


def test_an_unregistered_purpose_is_not_promoted_to(home: Path) -> None:
    assert "the purpose 'tiada' is not registered" in model(home, "promote", "murid", "--purpose", "tiada").stderr


def test_a_pack_of_ones_own_is_begun_and_sat(home: Path, tmp_path: Path) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "selat", "eval", "new", "bank", "--folder", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert made.stdout.strip() == str(tmp_path / "bank.toml")
    found = result(home, "run", "--model", "murid", "--pack", str(tmp_path / "bank.toml"))
    assert found["results"][0]["score"]["n"] == 3
    found = result(home, "run", "--model", "murid", "--pack", "tatabahasa~verbatim")
    assert found["results"][0]["score"]["mean"] == 0.0


@pytest.mark.parametrize(
    ("name", "begins"), [("r.html", "<!doctype html>"), ("r.md", "# Evaluation report: murid")]
)
def test_a_run_is_written_as_a_page(home: Path, tmp_path: Path, name: str, begins: str) -> None:
    ran = result(home, "run", "--model", "murid", "--pack", "tatabahasa")["run"]["id"]
    out = tmp_path / name
    assert selat(home, "report", ran, "--out", str(out), "--language", "en").stdout.strip() == str(out)
    text = out.read_text("utf-8")
    assert text.startswith(begins)
    assert "at chance" not in text.split("<h2>")[0]
    assert selat(home, "report", ran, "--out", str(tmp_path / "x.pdf")).returncode == 2


def test_a_model_that_selat_runs_itself_sits_an_exam_and_is_bound_to_its_file(home: Path, tmp_path: Path) -> None:
    """A real llama.cpp in a process of its own, random weights: at chance, and held to the very file."""
    pytest.importorskip("gguf", reason="needs the gguf package to write a model")
    pytest.importorskip("xllamacpp", reason="needs the xllamacpp package, which is llama.cpp")
    from tiny_model import make_model

    items = (PACKS / "tatabahasa.toml").read_text("utf-8").split("\n[[item]]\n")
    short = tmp_path / "ringkas.toml"
    short.write_text("\n[[item]]\n".join(items[:25]).replace('name = "tatabahasa"', 'name = "ringkas"'), "utf-8")
    weights = make_model(tmp_path / "rawak.gguf")
    words = ["engine", "run", "rawak", weights, "--context", "4096", "--threads", "1", "--home", home]
    added = commands.selat(*words)
    assert added.returncode == 0, added.stderr
    sat = result(home, "run", "--model", "rawak", "--pack", str(short), "--scoring", "first-token")
    [summary] = sat["results"]
    assert (sat["run"]["state"], summary["score"]["n"], summary["at_chance"]) == ("complete", 24, True)
    assert sat["run"]["weights"] == hashlib.sha256(weights.read_bytes()).hexdigest(), "nobody had to name the file"
    pinned = f'[packs]\nringkas = "{summary["digest"]}"\n[purpose.chat]\nbars = ["ringkas score >= %s"]\n'
    (home / "promotion.toml").write_text(pinned % "0.9")
    assert "misses 0.9" in model(home, "promote", "rawak", "--purpose", "chat").stdout
    (home / "promotion.toml").write_text(pinned % "0.0")
    assert model(home, "promote", "rawak", "--purpose", "chat").returncode == 0
    make_model(weights, seed=2)
    assert "not those that were examined" in model(home, "passport", "rawak").stdout
