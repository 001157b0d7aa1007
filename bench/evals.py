"""The evals' targets: overhead over plain Inspect, kept samples a second, a resumed run, coverage of intervals.

python bench/evals.py [--samples 1000] [--delay 0.05] [--at-once 16]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from selat.evals import Pack, estimate, find_pack
from selat.evals.stats import mean_difference
from selat.home import create_home
from selat.house import furnish
from selat.testing import Upstream
from selat.testing.exam import register

ROOT = Path(__file__).parents[1]


def grown(count: int) -> Pack:
    """The grammar pack with its items repeated under fresh numbers, until there are `count`."""
    pack = find_pack("tatabahasa")
    rounds = -(-count // len(pack.items))
    items = [
        replace(item, id=f"{item.id}-{number}", question=f"({number}) {item.question}")
        for number in range(rounds)
        for item in pack.items
    ]
    return replace(pack, name="besar", items=tuple(items[:count]))


def written(pack: Pack, folder: Path) -> Path:
    """The pack as a file."""
    lines = ['name = "besar"', 'version = "1"', 'licence = "CC0-1.0"', 'kind = "choice"', "max_tokens = 64"]
    lines += ['title = { ms = "b", en = "b" }', 'about = { ms = "b", en = "b" }']
    for item in pack.items:
        lines.append("[[item]]")
        for field in ("id", "language", "question", "answer", "source", "rationale", "date"):
            lines.append(f"{field} = {json.dumps(getattr(item, field), ensure_ascii=False)}")
        lines.append(f"choices = {json.dumps(item.choices, ensure_ascii=False)}")
    path = folder / "besar.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def home_for(folder: Path, upstream: Upstream, model: str) -> Path:
    home = create_home(folder / "home")
    furnish(home)
    home.engines.write_text(
        f'[[engine]]\nname = "dekat"\nkind = "openai"\nurl = "{upstream.url}"\nmax_connections = 64\n'
        f'site = {{ jurisdiction = "MY" }}\n[engine.models]\nmurid = "{model}"\n'
    )
    return home.path


def selat(home: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "selat", "eval", *words, "--home", str(home), "--json"]


def run(command: list[str], **environment: str) -> tuple[float, str]:
    """Seconds of wall time, and what was printed."""
    start = time.perf_counter()
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )
    if done.returncode:
        raise SystemExit(done.stderr[-2000:] + done.stdout[-2000:])
    return time.perf_counter() - start, done.stdout


def overhead(folder: Path, upstream: Upstream, path: Path, model: str, at_once: int) -> dict[str, float]:
    """Wall time of a whole command, ours (decided and booked) over plain Inspect's, start-up included."""
    home = home_for(folder, upstream, model)
    words = ("run", "--model", "murid", "--pack", str(path), "--at-once", str(at_once))
    mine, _ = run(selat(home, *words))
    command = [sys.executable, "-m", "inspect_ai", "eval", str(ROOT / "selat/evals/inspect_tasks.py@pek")]
    command += ["-T", f"name={path}", "--model", f"openai-api/ujian/{model}", "--max-connections", str(at_once)]
    command += ["--log-dir", str(folder / "logs"), "--display", "none", "--max-samples", str(at_once)]
    theirs, _ = run(command, UJIAN_API_KEY="k", UJIAN_BASE_URL=upstream.url)
    return {"selat_s": mine, "inspect_s": theirs, "overhead": mine / theirs - 1}


def kept(home: Path, path: Path, count: int) -> dict[str, float]:
    """A run in which every sample was answered before, once as a command and once without its start-up."""
    words = ("run", "--model", "murid", "--pack", str(path))
    whole, _ = run(selat(home, *words))
    code = (
        "import sys,time,asyncio;from pathlib import Path;from selat.app import open_platform,fresh_id,now\n"
        "from selat.evals import find_pack;from selat.evals.store import Store\n"
        "from selat.flows.evaluate import *\n"
        "with open_platform(Path(sys.argv[1])) as p:\n"
        " s=Store(p.home.path/'evals'/'evals.db');e=choose_engine(p.shelf,'murid')\n"
        " pack=find_pack(sys.argv[2]);plan=planned(fresh_id(),now,subject_of(e,'murid'),[pack],Terms())\n"
        " put=opened(putting(p.desk(),p.local_caller(),plan.run.subject));t=time.perf_counter()\n"
        " r,x=asyncio.run(evaluate(plan,put,s));assert r.asked==0\n"
        " print(len(x)/(time.perf_counter()-t));s.close()\n"
    )
    _, said = run([sys.executable, "-c", code, str(home), str(path)])
    return {"per_s": float(said), "command_s": whole, "samples": count}


def resumed(folder: Path, upstream: Upstream, path: Path, count: int, at_once: int) -> dict[str, float]:
    """Samples asked twice when a run is killed half-way and resumed."""
    home = home_for(folder / "killed", upstream, "exam:0.7,b,0.02")
    before = len(upstream.received)
    words = ("run", "--model", "murid", "--pack", str(path), "--at-once", str(at_once))
    process = subprocess.Popen(selat(home, *words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
    upstream.settles(lambda: len(upstream.received) - before >= count // 2, 120)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    _, said = run(selat(home, "resume", "last"))
    assert json.loads(said)["run"]["state"] == "complete"
    return {"asked_twice": len(upstream.received) - before - count, "at_once": at_once}


def coverage(runs: int = 1000) -> dict[str, float]:
    """How often the interval holds the known accuracy: single items, parallel items, differences."""
    chance = np.random.default_rng(1)
    found = {"single": 0, "parallel": 0, "difference": 0}
    for _ in range(runs):
        one = estimate((chance.random(200) < 0.7).astype(float).tolist())
        found["single"] += one.low <= 0.7 <= one.high
        fate, own = chance.random((100, 1)) < 0.7, chance.random((100, 3)) < 0.7
        right = np.where(chance.random((100, 3)) < 0.7, fate, own).astype(float).reshape(-1)
        many = estimate(right.tolist(), [str(n // 3) for n in range(300)])
        found["parallel"] += many.low <= 0.7 <= many.high
        a, b = chance.random(200) < 0.7, chance.random(200) < 0.6
        apart = mean_difference((a.astype(float) - b.astype(float)).tolist())
        found["difference"] += apart.low <= 0.1 <= apart.high
    return {name: count / runs for name, count in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--delay", type=float, default=0.05, help="seconds that the scripted model takes a sample")
    parser.add_argument("--at-once", type=int, default=16)
    given = parser.parse_args()
    result: dict[str, Any] = {"coverage": coverage()}
    pack = grown(given.samples)
    with tempfile.TemporaryDirectory() as place, Upstream() as upstream:
        folder = Path(place)
        (folder / "killed").mkdir()
        path = written(pack, folder)
        register([find_pack(str(path))])
        model = f"exam:0.7;a;{given.delay}"  # Inspect takes a comma for a list of models
        result["overhead"] = overhead(folder, upstream, path, model, given.at_once)
        result["kept"] = kept(folder / "home", path, given.samples)
        result["resumed"] = resumed(folder, upstream, path, given.samples, given.at_once)
    held = {
        "intervals cover 93-97 %": all(0.93 <= share <= 0.97 for share in result["coverage"].values()),
        "overhead over Inspect <= 10 %": result["overhead"]["overhead"] <= 0.10,
        ">= 5,000 kept samples/s": result["kept"]["per_s"] >= 5000,
        "kill -9 repeats at most those under way": result["resumed"]["asked_twice"] <= given.at_once,
    }
    print(json.dumps({**result, "targets": held}, indent=2))
    raise SystemExit(0 if all(held.values()) else 1)


if __name__ == "__main__":
    main()
