"""The same pack on the same model scores the same to the item by plain `inspect eval` and by our runner."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from selat.evals import find_pack, samples, shipped
from selat.testing import Upstream
from selat.testing.exam import is_right, register
from selat.testing.replies import last_text

pytest.importorskip("inspect_ai", reason="needs the extra 'evals'")
ROOT = Path(__file__).parents[3]
TASKS = ROOT / "selat" / "evals" / "inspect_tasks.py"
MODEL = "exam:0.7"


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    register([find_pack(name) for name in shipped()])
    with Upstream() as server:
        yield server


def inspected(upstream: Upstream, folder: Path, *tasks: str) -> dict[str, dict[str, Any]]:
    """Each task's log by its name, as `inspect eval` wrote it."""
    command = [sys.executable, "-m", "inspect_ai", "eval", *tasks, "--model", f"openai-api/ujian/{MODEL}"]
    command += ["--log-dir", str(folder), "--log-format", "json", "--display", "none", "--max-connections", "16"]
    environment = {"UJIAN_API_KEY": "k", "UJIAN_BASE_URL": upstream.url, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=240, cwd=folder, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    logs = [json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")]
    return {log["eval"]["task"].rpartition("/")[2]: log for log in logs if "eval" in log}


def test_inspect_and_our_runner_agree_to_the_item(upstream: Upstream, tmp_path: Path) -> None:
    """Which items the model gets right is known, and test_flow_evaluate.py holds our runner to the same."""
    names = ("tatabahasa", "alat")
    logs = inspected(upstream, tmp_path, *(f"{TASKS}@{name.replace('-', '_')}" for name in names))
    for name in names:
        mine = {item.id: float(is_right(item, 0.7)) for item in find_pack(name).items}
        log = logs[name]
        theirs = {one["id"]: next(iter(one["scores"].values()))["value"] for one in log["samples"]}
        assert theirs == mine
        metrics = log["results"]["scores"][0]["metrics"]
        assert metrics["accuracy"]["value"] == pytest.approx(sum(mine.values()) / len(mine))


def test_inspect_is_asked_what_we_ask(upstream: Upstream, tmp_path: Path) -> None:
    before = len(upstream.received)
    inspected(upstream, tmp_path, f"{TASKS}@pek", "-T", "name=campuran", "-T", "template=arahan", "--limit", "10")
    put = {
        json.dumps(json.loads(one.body)["messages"], ensure_ascii=False)
        for one in samples(find_pack("campuran"), "arahan")
    }
    asked = [json.loads(one.body) for one in upstream.received[before:] if one.method == "POST"]
    assert len(asked) == 10
    for one in asked:
        assert one["temperature"] == 0
        plain = [{"role": m["role"], "content": last_text({"messages": [m]})} for m in one["messages"]]
        assert json.dumps(plain, ensure_ascii=False) in put
