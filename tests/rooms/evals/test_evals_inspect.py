"""The same pack on the same model scores the same to the item by plain `inspect eval` and by our runner."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from selat.evals import find_pack, samples, shipped
from selat.evals.external import load_external
from selat.testing import Upstream
from selat.testing.exam import is_right, register
from selat.testing.replies import last_text

ROOT = Path(__file__).parents[3]
BESIDE = ROOT / ".make" / "inspect" / "bin" / "python"  # made by `make test`: Inspect has many dependencies
PYTHON = str(BESIDE) if BESIDE.exists() else sys.executable
if not BESIDE.exists() and importlib.util.find_spec("inspect_ai") is None:
    pytest.skip("Inspect is not at hand: make .make/tools", allow_module_level=True)
TASKS = ROOT / "selat" / "evals" / "inspect_tasks.py"
MODEL = "exam:0.7"


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    register([find_pack(name) for name in shipped()])
    with Upstream() as server:
        yield server


def installed(folder: Path) -> Path:
    """What an editable installation says of Selat, written from its pyproject: tests run from the sources."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    told = folder / f"selat-{project['version']}.dist-info"
    told.mkdir(parents=True)
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: selat\nVersion: {project['version']}\n")
    [(name, module)] = project["entry-points"]["inspect_ai"].items()
    (told / "entry_points.txt").write_text(f"[inspect_ai]\n{name} = {module}\n")
    (told / "direct_url.json").write_text(json.dumps({"url": ROOT.as_uri(), "dir_info": {"editable": True}}))
    return folder


def inspected(upstream: Upstream, folder: Path, *tasks: str) -> dict[str, dict[str, Any]]:
    """Each task's log by its name, as `inspect eval` wrote it."""
    command = [PYTHON, "-m", "inspect_ai", "eval", *tasks, "--model", f"openai-api/ujian/{MODEL}"]
    command += ["--log-dir", str(folder), "--log-format", "json", "--display", "none", "--max-connections", "16"]
    paths = os.pathsep.join([str(installed(folder / "installed")), str(ROOT)])
    environment = {"UJIAN_API_KEY": "k", "UJIAN_BASE_URL": upstream.url, "PYTHONPATH": paths}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=600, cwd=ROOT, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr[-2000:] + done.stdout[-2000:]
    logs = [json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")]
    return {log["eval"]["task"].rpartition("/")[2]: log for log in logs if "eval" in log}


def test_inspect_and_our_runner_agree_to_the_item(upstream: Upstream, tmp_path: Path) -> None:
    """Which items the model gets right is known, and test_flow_evaluate.py holds our runner to the same."""
    names = ("tatabahasa", "alat", "keselamatan-3r")
    logs = {
        **inspected(upstream, tmp_path / "file", f"{TASKS}@tatabahasa"),
        **inspected(upstream, tmp_path / "installed", "selat/alat", "selat/keselamatan_3r"),
    }
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


def test_exams_of_others_are_sat_by_plain_inspect_too(upstream: Upstream, tmp_path: Path) -> None:
    path = tmp_path / "MalayMMLU_0shot.json"
    row = {"prompt": "Alat membuka pintu ialah ...\nA. sifer\nB. kunci", "options": ["A. sifer", "B. kunci"]}
    path.write_text(json.dumps([{**row, "key": "B", "subject": "Bahasa Melayu"}]))
    register([load_external("malaymmlu", path)])
    log = inspected(upstream, tmp_path / "log", f"{TASKS}@pek", "-T", f"name=malaymmlu={path}")["malaymmlu"]
    [sample] = log["samples"]
    assert sample["target"] == "B"
    assert sample["input"][-1]["content"].count("kunci") == 1, "the options stand in the prompt already"
