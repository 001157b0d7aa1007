"""A run as one self-contained HTML page in Malay and English, or as Markdown; nothing is fetched to show it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jinja2
from markupsafe import Markup

from selat.evals.item import Item, Pack, Reply, Scored
from selat.evals.plots import Bar, forest, radar
from selat.evals.run import Run
from selat.evals.summary import STATUSES, Contrast, Summary
from selat.evals.verbatim import SUFFIX

LANGUAGES = ("ms", "en")
_HERE = Path(__file__).parent
_COLUMNS = (*STATUSES, "truncated", "masked", "missing")
_KNOWN_SHARE = 0.1
"""A pack of which a model continues more than this share word for word is flagged."""


@dataclass(frozen=True, slots=True)
class Account:
    """All that a report tells: the run, its packs with their results, its scores, the replies by sample."""

    run: Run
    packs: tuple[Pack, ...]
    summaries: tuple[Summary, ...]
    scored: tuple[Scored, ...]
    replies: Mapping[str, Reply]


def html(account: Account, language: str = "ms") -> str:
    """The page, opened in `language`; a button shows the other. All that a model wrote is escaped."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    template = environment.from_string((_HERE / "report.html.j2").read_text("utf-8"))
    breakdowns = [
        {"title": one.title, "kind": kind, "plot": _plot([Bar(name, part) for name, part in parts], kind)}
        for one in account.summaries
        for kind, parts in one.parts
        if len(parts) > 1
    ]
    return template.render(
        run=account.run,
        language=language,
        words=_words(),
        summaries=account.summaries,
        forests={code: _plot(_bars(account, code), _say("scores", code)) for code in LANGUAGES},
        radars={code: _radar(account, code) for code in LANGUAGES},
        gaps=_contrasts([(one, each) for one in account.summaries for each in (*one.gaps, *one.asymmetries)]),
        forms=_contrasts([(one, one.widest_form) for one in account.summaries if one.widest_form]),
        heart=any(one.pack.endswith(SUFFIX) for one in account.summaries),
        breakdowns=breakdowns,
        drilled=[_drilled(account, pack) for pack in account.packs],
        known=known_by_heart(account.summaries),
        pct=_percent,
        counts=_counts,
    )


def markdown(account: Account, language: str = "ms") -> str:
    """The run's results as a Markdown page."""
    run = account.run
    weights = run.subject.weights or _say("weights_unknown", language)
    lines = [
        f"# {_say('report', language)}: {run.subject.model}",
        "",
        f"- {_say('engine', language)}: {run.subject.engine} ({run.subject.upstream})",
        f"- {_say('weights', language)}: {weights}",
        f"- {_say('run', language)}: {run.id}, {run.started[:10]}, {_say(run.state, language)}",
        f"- {_say('scoring', language)}: {_say(run.scoring, language)}",
        f"- {_say('templates', language)}: {', '.join(one.name for one in run.templates)}",
        f"- {_say('by_heart', language)}: {_heart(account.summaries, language)}",
        "",
    ]
    heads = ["pack", "score", "interval", "corrected", "samples", *_COLUMNS]
    lines.append("| " + " | ".join(_say(head, language) for head in heads) + " |")
    lines.append("|---" + "|---:" * (len(heads) - 1) + "|")
    for one in account.summaries:
        flag = f" ({_say('at_chance', language)})" if one.at_chance else ""
        flag += f" ({_say('known', language)})" if one.pack in known_by_heart(account.summaries) else ""
        cells = [
            f"{one.title[LANGUAGES.index(language)]} `{one.digest[:8]}`{flag}",
            _percent(one.score.mean),
            f"{_percent(one.score.low)} – {_percent(one.score.high)}",
            _percent(one.corrected.mean) if one.corrected else "–",
            str(one.score.n),
            *(str(_counts(one)[name]) for name in _COLUMNS),
        ]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    for one in account.summaries:
        for way, found in dict(one.parts).get("chrf", ()):
            shown = f"{found.mean:.3f} [{found.low:.3f}, {found.high:.3f}], n {found.n}"
            lines += [] if lines[-1].startswith("- chrF") else [""]
            lines.append(f"- chrF {one.pack} {way}: {shown}")
    contrasts = [(one, each) for one in account.summaries for each in (*one.gaps, *one.asymmetries)]
    if contrasts:
        lines += ["", f"## {_say('gaps', language)}", "", _say("gaps_note", language), ""]
        lines += [_line(one, contrast, language) for one, contrast in contrasts]
    forms = [(one, one.widest_form) for one in account.summaries if one.widest_form]
    lines += ["", f"## {_say('forms', language)}", "", _say("forms_note" if forms else "forms_none", language), ""]
    lines += [_line(one, contrast, language) for one, contrast in forms]
    return "\n".join(lines).rstrip() + "\n"


def _line(one: Summary, contrast: Contrast, language: str) -> str:
    d = contrast.difference
    shown = f"{d.mean * 100:+.1f} [{d.low * 100:+.1f}, {d.high * 100:+.1f}]"
    return f"- {one.pack}: {contrast.first} {_say('less', language)} {contrast.second}: {shown}"


def _heart(summaries: Sequence[Summary], language: str) -> str:
    return _say("examined" if any(one.pack.endswith(SUFFIX) for one in summaries) else "not_examined", language)


def known_by_heart(summaries: Sequence[Summary]) -> set[str]:
    """The packs whose continuation shows that the model has seen them, with the packs they were cut from."""
    found = [s.pack for s in summaries if s.pack.endswith(SUFFIX) and s.score.mean > _KNOWN_SHARE]
    return {*found, *(name.removesuffix(SUFFIX) for name in found)}


def _bars(account: Account, language: str) -> list[Bar]:
    place = LANGUAGES.index(language)
    return [Bar(one.title[place], one.score, one.chance) for one in account.summaries]


def _contrasts(found: Sequence[tuple[Summary, Contrast]]) -> dict[str, Markup]:
    """Paired differences as a plot in each language, around 0; nothing where there are none."""
    if not found:
        return {}
    reach = max(0.1, *(max(abs(c.difference.low), abs(c.difference.high)) for _, c in found))
    reach = min(1.0, round(reach + 0.05, 1))
    drawn: dict[str, Markup] = {}
    for code in LANGUAGES:
        bars = [Bar(f"{s.pack}: {c.first} − {c.second}", c.difference, 0.0) for s, c in found]
        drawn[code] = _plot(bars, _say("gaps", code), (-reach, reach))
    return drawn


def _drilled(account: Account, pack: Pack) -> dict[str, object]:
    items = {item.id: item for item in pack.items}
    rows = []
    for one in account.scored:
        if one.pack != pack.name or one.item not in items:
            continue
        item, reply = items[one.item], account.replies.get(one.sample, Reply(""))
        calls = "\n".join(f"{use.name}({use.arguments})" for use in reply.tool_uses)
        rows.append(
            {
                "scored": one,
                "item": item,
                "asked": _asked(item),
                "expected": _expected(item),
                "reply": "\n".join(filter(None, [reply.text, calls])),
                "receipt": reply.receipt,
            }
        )
    return {"title": pack.title, "rows": rows}


def _asked(item: Item) -> str:
    lines = [item.system, *(f"[{n}] {text}" for n, text in enumerate(item.documents, 1)), item.question]
    if not item.options_inside:
        lines += [f"{letter}. {choice}" for letter, choice in zip("ABCDEFGHIJ", item.choices, strict=False)]
    return "\n".join(filter(None, lines))


def _expected(item: Item) -> str:
    call = f"{item.call}({', '.join(f'{name}={value}' for name, value in item.arguments)})" if item.call else ""
    told = {
        "": item.answer or item.expect or item.reference or call,
        "[ ] ": ", ".join(map(str, item.cites)),
        "semua / all: ": "; ".join(item.all_of),
        "salah satu / any: ": "; ".join(item.any_of),
        "tiada / none: ": "; ".join(item.none_of),
    }
    return "\n".join(f"{sign}{text}" for sign, text in told.items() if text)


def _counts(summary: Summary) -> dict[str, int]:
    return {**dict(summary.counts), "missing": summary.missing}


def _plot(bars: Sequence[Bar], title: str, reach: tuple[float, float] = (0.0, 1.0)) -> Markup:
    # Labels and the title are escaped where they are written; the rest are our numbers.
    return Markup(forest(bars, title, *reach))  # noqa: S704


def _radar(account: Account, language: str) -> Markup:
    bars = [Bar(one.pack, one.score) for one in account.summaries]  # names: titles are too long around a circle
    return Markup(radar(bars, _say("radar", language)))  # noqa: S704


def _percent(value: float, digits: int = 1) -> str:
    return f"{value * 100:.{digits}f} %"


def _say(key: str, language: str) -> str:
    return _words()[key][language]


@cache
def _words() -> dict[str, dict[str, str]]:
    return tomllib.loads((_HERE / "report.toml").read_text("utf-8"))
