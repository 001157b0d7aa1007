"""Ingest, search, ask and score as commands: what they print is what the checks of the project read."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import commands
import pytest
from waiting import until

from selat.app import open_platform
from selat.home import create_home
from selat.house import furnish

ROWS = [
    {"kod": "kahwin", "title_ms": "Perkahwinan Tahunan", "title_en": "Annual Marriages", "nota": ["ikut negeri"]},
    {"kod": "minyak", "title_ms": "Harga Petrol", "title_en": "Fuel Price", "nota": ["RON95 setiap minggu"]},
    {"kod": "hujan", "title_ms": "Cuaca", "title_en": "Weather", "nota": ["hujan dan ribut"]},
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = create_home(tmp_path_factory.mktemp("cli") / "home")
    furnish(made)
    with open_platform(made.path) as platform:
        _ = platform.guard  # compiled once, as `selat up` does: it takes 4 s of CPU, most of a first question
    rows = made.path.parent / "rows.jsonl"
    rows.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    done = selat(made.path, "ingest", str(rows), "--id-field", "kod", "--collection", "c", "--json")
    assert json.loads(done.stdout) == {"collection": "c", "added": 3, "unchanged": 0, "failed": {}}
    return made.path


def selat(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return commands.selat(*words, "--home", home)


def test_search_prints_hits_with_labels_and_positions(home: Path) -> None:
    done = selat(home, "search", "--collection", "c", "--k", "10", "--json", "harga minyak")
    hits = json.loads(done.stdout)["hits"]
    assert hits[0]["document"] == "minyak"
    assert {"document", "passage", "score", "text", "label", "start", "end", "page"} <= hits[0].keys()


def test_many_queries_give_document_ids(home: Path, tmp_path: Path) -> None:
    asked, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    asked.write_text('{"id": 7, "query": "org kawen brp"}\n{"id": "z", "query": "汽油价格"}\n')
    done = selat(home, "search", "--collection", "c", "--queries", str(asked), "--out", str(out))
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(row["id"], row["hits"][0]) for row in rows] == [(7, "kahwin"), ("z", "minyak")]
    assert {row["order"] for row in rows} == {"score"}


def test_many_questions_give_answers_citations_and_abstentions(home: Path, tmp_path: Path) -> None:
    asked, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    asked.write_text(
        '{"id": 1, "query": "Berapa harga petrol RON95?"}\n{"id": 2, "query": "Siapa juara dunia?"}\n'
    )
    done = selat(home, "ask", "--collection", "c", "--queries", str(asked), "--out", str(out))
    assert done.returncode == 0, done.stderr
    first, second = (json.loads(line) for line in out.read_text().splitlines())
    assert (first["citations"], first["abstained"], first["order"]) == (["minyak"], False, "score")
    assert (second["citations"], second["abstained"]) == ([], True)


def test_score_reads_what_search_and_ask_do(home: Path, tmp_path: Path) -> None:
    exams = tmp_path / "q.jsonl"
    exams.write_text(
        '{"id": 1, "query": "harga petrol", "gold": ["minyak"], "language": "ms"}\n'
        '{"id": 2, "query": "who is the champion", "gold": [], "language": "en"}\n'
    )
    done = selat(home, "knowledge", "score", str(exams), "--collection", "c", "--answers", "--json")
    scores = json.loads(done.stdout)
    assert (scores["ms"]["recall"]["1"], scores["ms"]["cited"], scores["en"]["abstained_rightly"]) == (
        1.0,
        1.0,
        1.0,
    )


def test_a_command_ends_without_looking_for_garbage(home: Path) -> None:
    tell = "import atexit, gc, sys; atexit.register(lambda: print(gc.get_freeze_count(), len(gc.get_objects())))"
    words = [sys.executable, "-c", f"{tell}; from selat.cli import main; main()", "index", "status", "--json"]
    done = subprocess.run([*words, "--home", str(home)], capture_output=True, text=True, timeout=60, check=True)
    frozen, left = map(int, done.stdout.splitlines()[-1].split())
    assert frozen > 100 * left


def test_an_unchanged_file_is_skipped_and_a_removed_document_is_gone(home: Path) -> None:
    again = selat(
        home, "ingest", str(home.parent / "rows.jsonl"), "--id-field", "kod", "--collection", "c", "--json"
    )
    assert json.loads(again.stdout)["unchanged"] == 3
    assert selat(home, "knowledge", "remove", "hujan", "--collection", "c").returncode == 0
    hits = json.loads(selat(home, "search", "--collection", "c", "--json", "hujan ribut").stdout)["hits"]
    assert "hujan" not in {hit["document"] for hit in hits}
    status = json.loads(selat(home, "index", "status", "--json").stdout)
    assert (status["documents"], status["waiting"]) == (2, 0)
    assert selat(home, "index", "rebuild").returncode == 0


@pytest.mark.parametrize(
    "words",
    [["search"], ["search", "x", "--queries", "y"], ["ask", "--queries", "y"], ["ingest", "/nowhere/at/all"]],
)
def test_wrong_use_is_exit_two(home: Path, words: list[str]) -> None:
    assert selat(home, *words).returncode == 2


def test_a_file_that_cannot_be_read_says_why(home: Path, tmp_path: Path) -> None:
    broken = tmp_path / "x.pdf"
    broken.write_bytes(b"%PDF-1.4")
    done = selat(home, "ingest", str(broken))
    assert done.returncode == 1
    assert "x.pdf" in done.stderr
    assert "pdf" in selat(home, "knowledge", "list", "--failed").stdout


def test_a_folder_is_kept_in_step(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.txt").write_text(f"Kedai {name} menjual teh tarik.")
    words = ["ingest", str(folder), "--collection", "s", "--sync", "--json"]
    assert json.loads(selat(home, *words).stdout)["added"] == 2
    (folder / "b.txt").unlink()
    (folder / "a.txt").write_text("Kedai a menjual kopi.")
    report = json.loads(selat(home, *words).stdout)
    assert (report["added"], report["removed"]) == (1, ["b.txt"])
    hits = json.loads(selat(home, "search", "--collection", "s", "--json", "teh tarik").stdout)["hits"]
    assert not [hit for hit in hits if "teh" in hit["text"]]


def test_a_watched_file_that_breaks_keeps_its_last_good_version(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "watched"
    folder.mkdir()
    path = folder / "nota.csv"
    path.write_text("barang,harga\nsate cendawan,tiga ringgit\n")
    words = ["ingest", str(folder), "--collection", "w", "--watch", "--every", "0.2", "--home", str(home)]
    command = [sys.executable, "-m", "selat", *words]
    log = tmp_path / "log"
    with log.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file) as watching:
        try:
            until(lambda: "1 added" in log.read_text())
            path.write_bytes(b"\x00\xff\x00" * 400)
            until(lambda: "not read: nota.csv" in log.read_text())
            time.sleep(1)
            assert log.read_text().count("not read:") == 1  # the same broken file is not read at every look
            failed = selat(home, "knowledge", "list", "--failed", "--collection", "w").stdout
            assert "the one before is still searched" in failed
            hits = json.loads(selat(home, "search", "--collection", "w", "--json", "harga sate cendawan").stdout)
            assert "tiga ringgit" in hits["hits"][0]["text"]
        finally:
            watching.terminate()


KILLED = """
import os, signal, sys
from selat.cli import main
from selat.knowledge.store import Store
put, left = Store.put, [int(sys.argv.pop(1))]
def dying(*told):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    put(*told)
Store.put = dying
main()
"""
"""`selat` as it is, killed when it puts its so-manieth document."""


def test_an_ingestion_killed_again_and_again_ends_as_one_that_was_not(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(400):
        (folder / f"{number:04}.txt").write_text(f"Nota {number} tentang kedai runcit nombor {number * 7}. " * 20)
    whole, broken = (create_home(tmp_path / name) for name in ("whole", "broken"))
    for made in (whole, broken):
        furnish(made)
    words = ["ingest", str(folder), "--collection", "k"]
    assert selat(whole.path, *words).returncode == 0
    command = [sys.executable, "-m", "selat", *words, "--home", str(broken.path)]
    for puts in (1, 150, 70):
        code = [sys.executable, "-c", KILLED, str(puts), *words, "--home", str(broken.path)]
        assert subprocess.run(code, capture_output=True).returncode == -signal.SIGKILL
    for after_s in (0.4, 0.7, 0.9):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(after_s)
        process.kill()
        process.wait()
    assert selat(broken.path, *words).returncode == 0
    ends = [json.loads(selat(made.path, "index", "status", "--json").stdout) for made in (whole, broken)]
    assert ends[0]["digest"] == ends[1]["digest"]
    assert [end["waiting"] for end in ends] == [0, 0]
    finds = [
        told_apart(selat(made.path, "search", "--json", "kedai nombor 2793").stdout) for made in (whole, broken)
    ]
    assert finds[0] == finds[1]
    assert finds[0][1][0]["document"] == "0399.txt"


def told_apart(printed: str) -> tuple[list[float], list[dict[str, object]]]:
    """The scores of what was found, and the hits whose score no other has: equals stand as they were read."""
    hits = json.loads(printed)["hits"]
    scores = [hit["score"] for hit in hits]
    return scores, [hit for hit in hits if scores.count(hit["score"]) == 1]
