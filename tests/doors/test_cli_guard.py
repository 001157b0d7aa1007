"""`selat guard` as a person runs it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import commands
import pytest


def selat(*words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return commands.selat("guard", *words, given=given)


def test_scan_tells_kinds_and_positions_never_words() -> None:
    done = selat("scan", "--json", given="ic saya 900101-14-5678")
    found = json.loads(done.stdout)
    assert [(f["kind"], f["start"], f["end"]) for f in found["findings"]] == [("MYKAD", 8, 22)]
    assert found["flags"] == []
    assert "900101" not in done.stdout + done.stderr


def test_scan_reads_lines_and_writes_lines(tmp_path: Path) -> None:
    lines = tmp_path / "in.jsonl"
    lines.write_text('{"id": "a", "text": "hp 012-345 6789"}\n\n{"id": "b", "text": "tiada"}\n')
    rows = [json.loads(line) for line in selat("scan", str(lines), "--jsonl").stdout.splitlines()]
    assert [(row["id"], [f["kind"] for f in row["findings"]]) for row in rows] == [("a", ["PHONE"]), ("b", [])]


def test_redact_prints_the_text_with_placeholders() -> None:
    assert selat("redact", given="emel siti@contoh.my ya\n").stdout == "emel <EMAIL_1> ya\n"


@pytest.mark.parametrize("word", ["MYKAD", "ADDRESS", "BIOMETRIC"])
def test_kinds_lists_kinds_and_flags(word: str) -> None:
    assert word in selat("kinds").stdout


def test_score_measures_a_corpus(tmp_path: Path) -> None:
    corpus = tmp_path / "mine.jsonl"
    row = {"id": "1", "lang": "ms", "text": "hp 012-345 6789", "gold": [{"kind": "PHONE", "start": 3, "end": 15}]}
    corpus.write_text(json.dumps(row) + "\n")
    result = json.loads(selat("score", str(corpus), "--json").stdout)["mine.jsonl"]
    assert result["kinds"]["PHONE"]["recall"] == 1.0


def test_a_file_that_is_no_corpus_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.jsonl"
    wrong.write_text('{"text": 3\n')
    done = selat("score", str(wrong))
    assert done.returncode == 2
    assert "line 1" in done.stderr
