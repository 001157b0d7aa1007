"""`selat eval`: packs and runs, sitting an exam, what came out, comparing two models, going on after a kill."""

from __future__ import annotations

import asyncio
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from selat.app import Platform, open_platform
from selat.cli.frame import HomeOption, JsonOption, progress, say, show, show_json
from selat.core.errors import Misused
from selat.evals import (
    GENERATION,
    SCORINGS,
    Estimate,
    Reply,
    Sample,
    compare,
    shipped,
    templates,
)
from selat.evals.named import pack_named
from selat.evals.report import LANGUAGES, Account, html, known_by_heart, markdown
from selat.evals.results import results_of
from selat.evals.run import COMPLETE, Budget, Run
from selat.evals.scaffold import scaffold
from selat.evals.store import Store
from selat.evals.summary import Summary
from selat.evals.template import DEFAULT
from selat.evals.verbatim import by_heart_of
from selat.evals.weigh import digest_file
from selat.flows.evaluate import (
    Plan,
    Progress,
    Terms,
    choose_engine,
    evaluate,
    opened,
    own_weights,
    planned,
    putting,
    resumed,
    subject_of,
)
from selat.house import examiner
from selat.jobs import Here, Open, choose_pool
from selat.plugins import eval_packs
from selat.stamps import fresh_id, now

app = typer.Typer(help="Local evals: packs, runs, results, comparisons.", no_args_is_help=True)

_TELL_EVERY_S = 15.0
"""How often a line tells how far a run is, where stderr is no terminal and shows no bar."""

AtOnce = Annotated[int, typer.Option("--at-once", min=1, max=512, help="Samples under way at the same time.")]
MaxTokens = Annotated[int, typer.Option(min=0, help="Stop after about that many tokens, in and out; 0: no limit.")]
Minutes = Annotated[float, typer.Option(min=0, help="Stop after that many minutes; 0: no limit.")]
PoolOption = Annotated[
    str, typer.Option("--pool", help="Where samples are put: local, processes:N, ray; else setting jobs_pool.")
]
RunArgument = Annotated[str, typer.Argument(help="A run's id, the beginning of one, or: last.")]


@app.command("list")
def list_(
    runs: Annotated[bool, typer.Option("--runs", help="The runs so far instead of the packs.")] = False,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """The packs that can be sat; with --runs, the runs so far, the newest first."""
    if runs:
        with open_platform(home) as platform, closing(Store(platform.home.exams)) as store:
            found = store.runs()
        if json_:
            show_json([_run_json(run) for run in found])
            return
        for run in found:
            packs = ", ".join(exam.name for exam in run.packs)
            show(f"{run.id}  {run.started[:16]}  {run.state}  {run.subject.model} @ {run.subject.engine}  {packs}")
        return
    plugged = eval_packs()
    packs_found = [pack_named(name, plugged) for name in (*shipped(), *sorted(plugged))]
    if json_:
        show_json(
            [
                {
                    "name": pack.name,
                    "version": pack.version,
                    "items": len(pack.items),
                    "languages": pack.languages,
                    "chance": pack.chance,
                    "digest": pack.digest,
                    "title": {"ms": pack.title[0], "en": pack.title[1]},
                }
                for pack in packs_found
            ]
        )
        return
    for pack in packs_found:
        show(f"{pack.name:14}{len(pack.items):5} items  {', '.join(pack.languages):12}  {pack.title[1]}")


@app.command()
def run(
    model: Annotated[str, typer.Option(help="The model that sits the exam, by its public name.")],
    pack: Annotated[
        list[str], typer.Option(help="A name, a file.toml, NAME=PATH of another exam, or NAME~verbatim; repeat.")
    ],
    engine: Annotated[str, typer.Option(help="Which of the model's engines; else the first.")] = "",
    template: Annotated[
        list[str] | None, typer.Option(help="A form; repeat for more; `all` for every one.")
    ] = None,
    by_heart: Annotated[
        bool, typer.Option("--by-heart", help="Also ask for the rest of items whose beginning is given.")
    ] = False,
    scoring: Annotated[str, typer.Option(help=f"How choices are read: {', '.join(SCORINGS)}.")] = GENERATION,
    weights: Annotated[
        Path | None, typer.Option(help="The weights' file, to bind the result to its digest.")
    ] = None,
    chat_template: Annotated[Path | None, typer.Option(help="The chat template's file, likewise.")] = None,
    at_once: AtOnce = 8,
    max_samples: Annotated[int, typer.Option(min=0, help="Ask no more than that many; 0: no limit.")] = 0,
    max_tokens: MaxTokens = 0,
    minutes: Minutes = 0.0,
    pool: PoolOption = "",
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Sit packs. Samples answered before, by the same model as it is now, are not asked again."""
    if scoring not in SCORINGS:
        raise Misused(f"--scoring is one of {', '.join(SCORINGS)}")
    forms = templates() if template == ["all"] else tuple(template or [DEFAULT])
    plugged = eval_packs()
    packs = [pack_named(name, plugged) for name in pack]
    packs += [made for one in packs if by_heart and (made := by_heart_of(one))]
    terms = Terms(forms, scoring, Budget(at_once, max_samples, max_tokens, minutes * 60))
    with open_platform(home) as platform:
        chosen = choose_engine(platform.shelf, model, engine)
        subject = subject_of(
            chosen, model, digest_file(weights or own_weights(chosen)), digest_file(chat_template)
        )
        _sit(platform, planned(fresh_id(), now, subject, packs, terms), pool, json_)


@app.command()
def resume(
    run_id: RunArgument = "last",
    at_once: AtOnce = 8,
    max_tokens: MaxTokens = 0,
    minutes: Minutes = 0.0,
    pool: PoolOption = "",
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Go on with a run that was killed or stopped: only what has no answer yet is asked."""
    with open_platform(home) as platform:
        with closing(Store(platform.home.exams)) as store:
            budget = Budget(at_once, 0, max_tokens, minutes * 60)
            plan = resumed(store.run(run_id), store, now, budget)
        was = plan.run.subject
        chosen = choose_engine(platform.shelf, was.model, was.engine)
        if subject_of(chosen, was.model, was.weights, was.chat_template) != was:
            raise Misused("the engine's entry is not what it was in this run; start a new run")
        _sit(platform, plan, pool, json_)


@app.command("show")
def show_(
    run_id: RunArgument = "last",
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """A run's scores with their intervals, and what stood beside them."""
    with open_platform(home) as platform, closing(Store(platform.home.exams)) as store:
        found = store.run(run_id)
        summaries = [summary for _, summary in results_of(store, found)]
    _show(found, summaries, json_)


@app.command()
def report(
    run_id: RunArgument = "last",
    out: Annotated[Path, typer.Option(help="The file to write: .html, or .md for Markdown.")] = Path(
        "report.html"
    ),
    language: Annotated[
        str, typer.Option(help="ms or en; an HTML report holds both and opens in this one.")
    ] = "ms",
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Write a run as a page: plots, tables, every item with what was asked and answered."""
    if language not in LANGUAGES or out.suffix not in (".html", ".md"):
        raise Misused("--language is ms or en, and --out ends in .html or .md")
    with open_platform(home) as platform, closing(Store(platform.home.exams)) as store:
        found = store.run(run_id)
        scored = tuple(store.scored(found.id))
        packs, summaries = zip(*results_of(store, found), strict=True)
        account = Account(
            found,
            packs,
            summaries,
            scored,
            store.replies(found.subject.digest, [one.sample for one in scored]),
        )
    text = html(account, language) if out.suffix == ".html" else markdown(account, language)
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Misused(f"{out}: {error.strerror}; choose another --out") from error
    if json_:
        show_json({"run": found.id, "path": str(out)})
    else:
        show(str(out))


@app.command("compare")
def compare_(
    first: Annotated[str, typer.Argument(help="A run's id.")],
    second: Annotated[str, typer.Argument(help="The run to compare it with.")],
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Two runs on the same samples: the difference with its interval, or that there are not enough to tell."""
    with open_platform(home) as platform, closing(Store(platform.home.exams)) as store:
        a, b = store.run(first), store.run(second)
        if a.scoring != b.scoring:
            raise Misused(f"one run was scored by {a.scoring}, the other by {b.scoring}: these are not compared")
        shared = [exam for exam in a.packs if exam in b.packs]
        if not shared:
            raise Misused("the runs share no pack of the same digest; run both with the same packs")
        rows = (store.scored(a.id), store.scored(b.id))
    found = [
        compare(exam.name, *([one for one in some if one.pack == exam.name] for some in rows)) for exam in shared
    ]
    if json_:
        show_json([one.to_json() for one in found])
        return
    for one in found:
        show(f"{one.pack}: {one.first:.1%} - {one.second:.1%} = {_points(one.difference)}")
        tested = "" if one.p is None else f", McNemar p = {one.p:.4f}"
        show(f"  {one.verdict} (n = {one.n}{tested}, effect h = {one.effect:+.2f})")
        if one.needed and one.verdict not in ("first is better", "second is better"):
            say(f"  a difference of this size would show with about {one.needed} items")


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="The pack's name: small letters, digits, hyphens.")],
    folder: Annotated[Path, typer.Option(help="Where its file is written.")] = Path(),
    json_: JsonOption = False,
) -> None:
    """Begin a pack of one's own: a file to be edited, with an item of each common kind."""
    path = scaffold(name, folder, now()[:10])
    if json_:
        show_json({"path": str(path)})
    else:
        show(str(path))


def _sit(platform: Platform, plan: Plan, pool_name: str, json_: bool) -> None:
    pool, subject = choose_pool(pool_name or platform.settings.jobs_pool), plan.run.subject
    opening: Open[Sample, Reply] = partial(examiner, platform.home.path, subject)
    if isinstance(pool, Here):  # this process has a platform already
        opening = opened(putting(platform.desk(), platform.local_caller(), subject))
    packs = ", ".join(pack.name for pack in plan.packs)
    say(f"run {plan.run.id}: {plan.run.subject.model} @ {plan.run.subject.engine} sits {packs}")
    with closing(Store(platform.home.exams)) as store, progress(packs, None) as bar:
        told_s, why = 0.0, ""

        def tell(at: Progress) -> None:
            nonlocal told_s, why
            why = at.why or why
            said = f"{packs} {at.per_s:.1f}/s"  # the bar shows what is left
            bar.update(bar.tasks[0].id, completed=at.done, total=at.total, description=said)
            if bar.disable and at.left_s and at.seconds - told_s >= _TELL_EVERY_S:
                told_s = at.seconds
                say(f"{at.done} of {at.total}, {at.per_s:.1f}/s, about {at.left_s:.0f} s left")

        ended, _ = asyncio.run(evaluate(replace(plan, tell=tell), opening, store, pool))
        summaries = [summary for _, summary in results_of(store, ended)]
    facts: dict[str, object] = {
        "run": ended.id,
        "subject": ended.subject.digest,
        "model": ended.subject.model,
        "engine": ended.subject.engine,
        "packs": {exam.name: exam.digest for exam in ended.packs},
        "state": ended.state,
        "samples": ended.total,
    }
    platform.record("eval.finished", facts)
    _show(ended, summaries, json_)
    if ended.state != COMPLETE:
        failed = f"{ended.failed} failed{f', the last because {why}' if why else ''}"
        say(f"{ended.state}: {failed}. Go on with: selat eval resume {ended.id}")
        raise typer.Exit(1)


def _show(run: Run, summaries: list[Summary], json_: bool) -> None:
    if json_:
        show_json({"run": _run_json(run), "results": [one.to_json() for one in summaries]})
        return
    known = known_by_heart(summaries)
    for one in summaries:
        score = one.score
        if not score.n:  # an interval of nothing says nothing
            show(f"{one.pack:14}none answered, {one.missing} missing")
            continue
        chance = "" if one.chance is None else f", chance {one.chance:.0%}"
        note = "  AT CHANCE" if one.at_chance else ""
        show(f"{one.pack:14}{score.mean:7.1%} [{score.low:.1%}, {score.high:.1%}]  n {score.n}{chance}{note}")
        beside = ", ".join(f"{count} {name}" for name, count in one.counts if count)
        if beside or one.missing:
            told = [beside] * bool(beside) + [f"{one.missing} missing"] * bool(one.missing)
            show(f"{'':14}{', '.join(told)}")
        for name, part in dict(one.parts).get("chrf", ()):
            show(f"{'':14}chrF {name}: {part.mean:.3f} [{part.low:.3f}, {part.high:.3f}]  n {part.n}")
        for contrast in (*one.gaps, *one.asymmetries):
            show(f"{'':14}{contrast.first} less {contrast.second}: {_points(contrast.difference)}")
        if form := one.widest_form:
            show(f"{'':14}forms differ by at most {_points(form.difference)} ({form.first} less {form.second})")
        if one.pack in known:
            show(f"{'':14}KNOWN BY HEART: the model may have seen this pack")


def _points(found: Estimate) -> str:
    return f"{found.mean:+.1%} [{found.low:+.1%}, {found.high:+.1%}]"


def _run_json(run: Run) -> dict[str, object]:
    subject = run.subject
    return {
        "id": run.id,
        "started": run.started,
        "ended": run.ended,
        "state": run.state,
        "model": subject.model,
        "engine": subject.engine,
        "upstream": subject.upstream,
        "weights": subject.weights,
        "subject": subject.digest,
        "scoring": run.scoring,
        "packs": {exam.name: exam.digest for exam in run.packs},
        "templates": {exam.name: exam.digest for exam in run.templates},
        "total": run.total,
        "asked": run.asked,
        "cached": run.cached,
        "failed": run.failed,
        "tokens": run.tokens,
    }
