"""What `selat top` draws: one column on a narrow terminal, two on a wide one."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from selat.gateway.traffic import EngineLoad, Traffic

WIDE = 100
TENANTS_SHOWN = 8
BARS = "▁▂▃▄▅▆▇█"
WORDS = {
    "en": {
        "workers": "workers", "cores": "cores", "memory": "memory", "files": "files", "quit": "q quits",
        "ended": "selat top: ended", "requests": "requests/s", "open": "open", "refused": "turned away/s",
        "failed": "failed/s", "tokens": "tokens/s in, out", "queue": "queue", "ledger": "ledger: waiting, lag",
        "phase": "phase", "per_s": "/s", "engine": "engine", "state": "state", "in_flight": "busy",
        "waiting": "waiting", "tenant": "tenant", "all": "in all", "last": "last {:.0f} s",
        "none": "no traffic yet", "closed": "well", "open_": "resting", "half_open": "trying",
        "read": "read", "scan": "scan", "decide": "decide", "book": "book", "connect": "connect",
        "first_token": "first token", "between_tokens": "between tokens", "total": "total",
    },
    "ms": {
        "workers": "pekerja", "cores": "teras", "memory": "memori", "files": "fail", "quit": "q keluar",
        "ended": "selat top: tamat", "requests": "permintaan/s", "open": "terbuka", "refused": "ditolak/s",
        "failed": "gagal/s", "tokens": "token/s masuk, keluar", "queue": "giliran",
        "ledger": "lejar: menunggu, lewat", "phase": "fasa", "per_s": "/s", "engine": "enjin", "state": "keadaan",
        "in_flight": "sibuk", "waiting": "tunggu", "tenant": "penyewa",
        "all": "semua", "last": "{:.0f} s terakhir", "none": "belum ada trafik", "closed": "sihat",
        "open_": "rehat", "half_open": "dicuba", "read": "baca", "scan": "imbas", "decide": "putus",
        "book": "catat", "connect": "sambung", "first_token": "token pertama",
        "between_tokens": "antara token", "total": "jumlah",
    },
}  # fmt: skip
COLOURS = {"closed": "green", "half_open": "yellow", "open": "red"}


def screen(found: Traffic, past: Sequence[float], language: str, width: int) -> RenderableType:
    """The whole screen. `past` are requests a second, oldest first, for the line of bars."""
    words = WORDS[language]
    left: list[RenderableType] = [_phases(found, words)]
    right: list[RenderableType] = [_engines(found, words)]
    if found.tenants:
        right.append(_tenants(found, words))
    if width < WIDE:
        body: RenderableType = Group(*(part for one in [*left, *right] for part in (one, Text())))
    else:
        grid = Table.grid(expand=True, padding=(0, 2))
        grid.add_column(ratio=5)
        grid.add_column(ratio=6)
        grid.add_row(Group(*left), Group(*(part for one in right for part in (one, Text()))))
        body = grid
    return Group(_head(found, words), _bars(past, width), _figures(found, words, width), Text(), body)


def duration(seconds: float) -> str:
    """Three figures at most, with a unit."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            value = seconds / size
            return f"{value:.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"
    return "–"


def number(value: float) -> str:
    if value >= 100_000:
        return f"{value / 1000:,.0f}k"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"


def _head(found: Traffic, words: dict[str, str]) -> Text:
    told = [
        f"{found.workers} {words['workers']}",
        f"{found.cpu:.2f} {words['cores']}",
        f"{words['memory']} {found.memory_bytes / 2**20:.0f} MB",
        f"{found.open_files} {words['files']}",
        words["last"].format(found.seconds),
        words["quit"],
    ]
    return Text.assemble(
        ("Selat", "bold cyan"), ("  " + " · ".join(told), "dim"), no_wrap=True, overflow="ellipsis"
    )


def _bars(past: Sequence[float], width: int) -> Text:
    shown = past[-max(width - 1, 1) :]
    most = max(shown, default=0.0) or 1.0
    return Text("".join(BARS[round(value / most * (len(BARS) - 1))] for value in shown), style="cyan")


def _figures(found: Traffic, words: dict[str, str], width: int) -> Table:
    pairs = [
        (words["requests"], number(found.requests_per_s)),
        (words["tokens"], f"{number(found.tokens_in_per_s)}, {number(found.tokens_out_per_s)}"),
        (words["open"], number(found.answers_open)),
        (words["queue"], number(found.queue)),
        (words["failed"], number(found.failed_per_s)),
        (words["refused"], number(found.refused_per_s)),
        (words["ledger"], f"{number(found.ledger_waiting)}, {found.ledger_lag_s:.1f} s"),
    ]
    across = 4 if width >= WIDE else 2 if width >= 80 else 1
    grid = Table.grid(padding=(0, 3, 0, 0))
    for _ in range(across):
        grid.add_column(no_wrap=True)
    cells = [Text.assemble((f"{name} ", "dim"), (value, "bold")) for name, value in pairs]
    for start in range(0, len(cells), across):
        grid.add_row(*cells[start : start + across])
    return grid


def _table(*columns: str) -> Table:
    table = Table(box=None, expand=True, header_style="dim", pad_edge=False)
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left", no_wrap=True, ratio=2 if place == 0 else 1)
    return table


def _phases(found: Traffic, words: dict[str, str]) -> Table:
    table = _table(words["phase"], words["per_s"], "p50", "p99")
    for phase in found.phases:
        style = "bold" if phase.name == "total" else "" if phase.per_s else "dim"
        name = words[phase.name]
        table.add_row(name, number(phase.per_s), duration(phase.p50_s), duration(phase.p99_s), style=style)
    return table


def _engines(found: Traffic, words: dict[str, str]) -> Table:
    heads = ("engine", "state", "in_flight", "waiting", "per_s", "failed")
    table = _table(*(words[head] for head in heads))
    for one in found.engines:
        figures = (one.in_flight, one.waiting, one.calls_per_s, one.failed_per_s)
        table.add_row(one.name, _state(one, words), *map(number, figures))
    return table


def _state(one: EngineLoad, words: dict[str, str]) -> Text:
    return Text(words["open_" if one.state == "open" else one.state], style=COLOURS[one.state])


def _tenants(found: Traffic, words: dict[str, str]) -> Table:
    table = _table(words["tenant"], words["per_s"], words["tokens"].partition(" ")[0], words["all"])
    for one in found.tenants[:TENANTS_SHOWN]:
        table.add_row(one.name, number(one.requests_per_s), number(one.tokens_per_s), number(one.requests))
    if len(found.tenants) > TENANTS_SHOWN:
        table.add_row(f"+{len(found.tenants) - TENANTS_SHOWN}", style="dim")
    return table
