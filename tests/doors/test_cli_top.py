"""`selat top`: what it reads and what it shows, of a running gateway and of made-up samples."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import commands
import pytest
from doors_kit import Running
from rich.console import Console
from waiting import CEILING_S, until

from selat.cli.top import looking_into
from selat.cli.top_screen import WORDS, duration, number, screen
from selat.gateway.metrics import PHASES, save
from selat.gateway.traffic import parse, quantile, traffic
from selat.home import create_home

COMMAND = [sys.executable, "-m", "selat", "top"]
BEFORE = {
    'selat_requests_total{api="chat.completions",effect="permit"}': 100.0,
    'selat_phase_seconds_bucket{phase="scan",le="0.001"}': 10.0,
    'selat_phase_seconds_bucket{phase="scan",le="0.002"}': 10.0,
    'selat_phase_seconds_bucket{phase="scan",le="+Inf"}': 10.0,
}
AFTER = {
    'selat_requests_total{api="chat.completions",effect="permit"}': 150.0,
    'selat_requests_total{api="messages",effect="redact"}': 10.0,
    'selat_phase_seconds_bucket{phase="scan",le="0.001"}': 10.0,
    'selat_phase_seconds_bucket{phase="scan",le="0.002"}': 110.0,
    'selat_phase_seconds_bucket{phase="scan",le="+Inf"}': 110.0,
    'selat_phase_seconds_count{phase="scan"}': 100.0,
    'selat_refused_total{code="engine_unreachable"}': 7.0,
    'selat_refused_total{code="invalid_api_key"}': 20.0,
    'selat_answers_total{outcome="complete"}': 50.0,
    'selat_answers_total{outcome="engine_error"}': 5.0,
    'selat_engine_in_flight{engine="dekat"}': 3.0,
    'selat_engine_waiting{engine="dekat"}': 2.0,
    'selat_engine_breaker_state{engine="dekat",state="closed"}': 2.0,
    'selat_engine_breaker_state{engine="dekat",state="open"}': 1.0,
    'selat_engine_calls_total{engine="dekat",outcome="complete"}': 50.0,
    'selat_engine_calls_total{engine="dekat",outcome="left"}': 5.0,
    'selat_tenant_requests_total{tenant="hospital"}': 60.0,
    'selat_tenant_tokens_total{tenant="hospital"}': 600.0,
    "selat_workers": 3.0,
    "selat_ledger_lag_seconds": 1.5,
}


def top(*options: object) -> subprocess.CompletedProcess[str]:
    return commands.selat("top", *options)


def busy(*options: object) -> Any:
    """What it found, if any request came while it looked: those who ask may stand still just then."""
    found = json.loads(top(*options).stdout)
    return found if found["requests_per_s"] > 0 else None


def drawn(width: int, language: str = "en") -> str:
    out = Console(file=io.StringIO(), width=width, highlight=False)
    out.print(screen(traffic(BEFORE, AFTER, 10.0), [1.0, 2.0, 4.0], language, width))
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def test_rates_are_differences_over_time_and_counters_that_shrank_began_anew() -> None:
    found = traffic(BEFORE, AFTER, 10.0)
    assert (found.requests_per_s, found.refused_per_s, found.failed_per_s) == (6.0, 2.0, 0.5)
    (engine,) = found.engines
    assert (engine.state, engine.in_flight, engine.waiting) == ("open", 3, 2)
    assert (engine.calls_per_s, engine.failed_per_s) == (5.5, 0.5)
    assert [(one.name, one.requests_per_s, one.tokens_per_s) for one in found.tenants] == [("hospital", 6.0, 60.0)]
    again = traffic({**AFTER, "process_cpu_seconds_total": 50.0}, {"process_cpu_seconds_total": 2.0}, 1.0)
    assert again.cpu == 2.0


def test_quantiles_are_those_of_the_window_as_prometheus_reads_them() -> None:
    scan = next(phase for phase in traffic(BEFORE, AFTER, 10.0).phases if phase.name == "scan")
    assert scan.p50_s == pytest.approx(0.0015)
    assert scan.per_s == 10.0
    inf = float("inf")
    assert quantile([], 0.5) == quantile([(1.0, 0.0), (inf, 0.0)], 0.5) == 0.0
    assert quantile([(1.0, 50.0), (2.0, 100.0), (inf, 100.0)], 0.75) == 1.5
    assert quantile([(1.0, 50.0), (2.0, 90.0), (inf, 100.0)], 0.99) == 2.0


def test_figures_are_short_and_have_units() -> None:
    assert [duration(s) for s in (0.0, 0.0000123, 0.25, 1.5, 120.0)] == [
        "–",
        "12.3 µs",
        "250 ms",
        "1.5 s",
        "120 s",
    ]
    assert [number(n) for n in (0, 1.25, 7, 12345.6, 2_500_000)] == ["0", "1.2", "7", "12,346", "2,500k"]


@pytest.mark.parametrize("width", [40, 62, 80, 130, 200])
@pytest.mark.parametrize("language", WORDS)
def test_it_fits_narrow_and_wide(width: int, language: str) -> None:
    text = drawn(width, language)
    assert max(map(len, text.splitlines())) <= width
    words = WORDS[language]
    shown = (words["total"], "dekat", "hospital", "1.5 ms", *([words["open_"]] if width >= 62 else []))
    for word in shown:
        assert word in text, word


def test_both_languages_name_everything() -> None:
    assert set(WORDS["en"]) == set(WORDS["ms"])
    assert set(PHASES) <= set(WORDS["en"])


def test_a_running_gateway_is_shown_from_its_home_and_by_url(selat: Running) -> None:
    stop = threading.Event()

    def ask() -> None:
        with selat.client() as client:
            while not stop.wait(0.05):
                client.chat.completions.create(model="echo", messages=[{"role": "user", "content": "hai"}])

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        home = until(lambda: busy("--home", selat.home, "--json", "--every", 3))
        url = until(lambda: busy("--url", selat.address, "--json", "--every", 2))
        shown = top("--home", selat.home, "--once", "--every", 2, "--language", "ms").stdout
    finally:
        stop.set()
        asking.join()
    for found in (home, url):
        assert found["workers"] == 1
        assert "dekat" in [engine["name"] for engine in found["engines"]]
        assert next(phase["p50_s"] for phase in found["phases"] if phase["name"] == "total") > 0
    assert [tenant["name"] for tenant in home["tenants"]] == ["default"]
    assert url["tenants"] == []
    assert "permintaan/s" in shown


def test_a_gateway_that_just_starts_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selat.cli.top._BEGINS_WITHIN_S", CEILING_S)
    home = create_home(tmp_path / "home")
    later = threading.Timer(0.3, save, ({"selat_workers": 1.0}, home.metrics / "gateway-0.json"))
    later.start()
    assert looking_into(home)() == {"selat_workers": 1.0}
    later.join()


def test_on_a_terminal_it_goes_on_until_q(selat: Running) -> None:
    leader, follower = pty.openpty()
    command = [*COMMAND, "--home", str(selat.home), "--every", "0.2"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
    process = subprocess.Popen(command, stdin=follower, stdout=follower, stderr=follower, env=environment)
    os.close(follower)
    shown = b""
    deadline = time.monotonic() + 60
    while b"first token" not in shown:
        assert time.monotonic() < deadline
        shown += os.read(leader, 65536)
    os.write(leader, b"q")
    try:
        while os.read(leader, 65536):
            continue
    except OSError:
        pass  # the last one on the other side has gone
    assert process.wait(60) == 0
    os.close(leader)


def test_where_nothing_runs_it_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "home.toml").write_text("version = 1\n")
    (tmp_path / "run" / "metrics").mkdir(parents=True)
    nothing = top("--home", tmp_path, "--once")
    assert (nothing.returncode, "selat up" in nothing.stderr) == (1, True)
    nobody = top("--url", "http://127.0.0.1:1", "--once")
    assert (nobody.returncode, "does not answer" in nobody.stderr) == (1, True)
    assert top("--url", "ftp://x", "--once").returncode == 2
    assert top("--home", tmp_path, "--language", "xx").returncode == 2


def test_metrics_text_is_read_back_as_it_was_written() -> None:
    assert parse('# HELP x y\n# TYPE x counter\nx{a="b c"} 3\ny 0.5\n') == {'x{a="b c"}': 3.0, "y": 0.5}
