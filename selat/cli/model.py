"""`selat model`: the shelf of models; promote one to a purpose, or learn why not; show its passport."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from selat.app import DEFAULT_TENANT, Platform, open_platform
from selat.cli import convert, shelf
from selat.cli.frame import HomeOption, JsonOption, read_day, say, show, show_json
from selat.core.errors import NotFound
from selat.evals.bars import read_bars
from selat.evals.named import pack_named
from selat.evals.passport import ClaimedScore, Passport
from selat.evals.run import Subject
from selat.evals.store import Store
from selat.evals.weigh import digest_file
from selat.flows.claims import Claims, Row, beside, claimed_of, scores_of, show_passport, signed_of
from selat.flows.evaluate import choose_engine, own_weights, subject_of
from selat.flows.promote import Gate, Registry, Wish, make_passport, weigh
from selat.flows.promote import promote as promote_flow
from selat.plugins import eval_packs
from selat.stamps import fresh_id, now

app = typer.Typer(help="Models: the shelf, promotion to a purpose, passports.", no_args_is_help=True)
shelf.enlist(app)
convert.enlist(app)

NameArgument = Annotated[str, typer.Argument(help="The model, by its public name.")]
EngineOption = Annotated[str, typer.Option(help="Which of the model's engines; else the first.")]
WeightsOption = Annotated[Path | None, typer.Option(help="The weights' file, as given to: selat eval run.")]
ChatTemplateOption = Annotated[Path | None, typer.Option(help="The chat template's file, likewise.")]


@app.command()
def promote(
    name: NameArgument,
    purpose: Annotated[str, typer.Option(help="The purpose that it is to serve.")],
    engine: EngineOption = "",
    weights: WeightsOption = None,
    chat_template: ChatTemplateOption = None,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Admit a model to a purpose when its passport meets the purpose's bars; else say which it misses."""
    with open_platform(home) as platform:
        if purpose not in platform.local_caller().purposes:
            raise NotFound(
                f"the purpose '{purpose}' is not registered; see: selat tenant list, "
                f"or register it: selat tenant purpose {DEFAULT_TENANT} {purpose} --ms … --en …"
            )
        chosen = choose_engine(platform.shelf, name, engine)
        files = weigh(weights or own_weights(chosen)), weigh(chat_template)
        subject = subject_of(chosen, name, files[0].digest, files[1].digest)
        bars = read_bars(platform.home.path / "promotion.toml", purpose)
        with closing(Store(platform.home.exams)) as store:
            passport = _passport(platform, subject, store)
        wish = Wish(subject, purpose, bars, *files)
        judged = promote_flow(wish, passport, Registry.of(platform.home), platform.record)
    if json_:
        show_json(judged.to_json())
    else:
        for verdict in judged.verdicts:
            show(f"{'met   ' if verdict.met else 'MISSED'}  {verdict.bar}: {verdict.reason}")
        show(f"{name} {'is promoted to' if judged.promoted else 'is NOT promoted to'} {purpose}")
        say(f"passport {judged.digest[:16]}, receipt {judged.receipt}")
    if not judged.promoted:
        raise typer.Exit(1)


@app.command()
def passport(
    name: NameArgument,
    engine: EngineOption = "",
    weights: WeightsOption = None,
    chat_template: ChatTemplateOption = None,
    raw: Annotated[bool, typer.Option("--raw", help="The signed notes as they are, to verify elsewhere.")] = False,
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """The passports of a model's promotions, verified, and whether each still holds."""
    with open_platform(home) as platform:
        registry = Registry.of(platform.home)
        chosen = choose_engine(platform.shelf, name, engine)
        subject = subject_of(chosen, name, digest_file(weights or own_weights(chosen)), digest_file(chat_template))
        gate = Gate(registry, now)
        mine = [one for one in registry.promotions() if (one.model, one.engine) == (name, chosen.name)]
        shown = show_passport(registry, subject, mine)
        reasons = [gate.why_not(one.purpose, name, chosen) for one in mine]
        texts = [registry.text(one.passport) for one in mine]
    if raw:
        show("".join(texts).rstrip("\n"))
        return
    if json_:
        show_json([{**row, "holds": not why, "reason": why} for row, why in zip(shown, reasons, strict=True)])
        return
    if not mine:
        show(f"{name} has no promotion; make one: selat model promote {name} --purpose P")
    for one, why in zip(mine, reasons, strict=True):
        show(f"{one.purpose}: {'holds until ' + one.until[:10] if not why else 'does NOT hold: ' + why}")
        _show(registry.passport(one.passport))


@app.command()
def claim(
    name: NameArgument,
    exam: Annotated[str, typer.Option(help="What was sat, as its claimant calls it: 'MalayMMLU, first token'.")],
    score: Annotated[float, typer.Option(min=0, max=1, help="The share that is claimed, from 0 to 1.")],
    by: Annotated[str, typer.Option(help="Who claims it.")],
    source: Annotated[str, typer.Option(help="Where it can be read.")],
    date: Annotated[str, typer.Option(help="When it was said, as 2026-11-22.")],
    pack: Annotated[str, typer.Option(help="The pack of ours that it may be held against.")] = "",
    home: HomeOption = None,
    json_: JsonOption = False,
) -> None:
    """Note a score that others claim of a model: it enters the passport, apart from what was verified here."""
    against = pack_named(pack, eval_packs()).name if pack else ""
    said = ClaimedScore(exam, round(score * 1_000_000), by, source, read_day(date).isoformat(), against)
    with open_platform(home) as platform:
        choose_engine(platform.shelf, name)
        Claims(Registry.of(platform.home).folder).add(name, said)
        told = Claims(Registry.of(platform.home).folder).of(name)
    if json_:
        show_json([msgspec.to_builtins(one) for one in told])
        return
    for one in told:
        show(f"{one.exam}: {one.score / 1e6:.1%} claimed by {one.by} on {one.date}, {one.source}")


def _passport(platform: Platform, subject: Subject, store: Store) -> Passport:
    shelf = platform.models.models()
    scores = scores_of(Claims(Registry.of(platform.home).folder), shelf, subject)
    passport = make_passport(fresh_id(), now(), subject, store, claimed_of(shelf, subject.weights, scores))
    return msgspec.structs.replace(passport, signed=signed_of(shelf, subject.weights))


def _show(passport: Passport) -> None:
    said = passport.claimed
    facts = {"vendor": said.vendor, "country": said.country, "licence": said.licence, "from": " ".join(said.base)}
    if told := ", ".join(f"{name} {text}" for name, text in facts.items() if text):
        show(f"  claimed, not verified here: {told}")
    if passport.signed:
        show(f"  verified here: files signed by {passport.signed.signer}, {passport.signed.verified[:10]}")
    for row in beside(passport):
        show(f"  {row.exam:20}{_verified(row)}")
        for one in row.claimed:
            agrees = {True: "within our interval", False: "OUTSIDE OUR INTERVAL", None: "not verified here"}
            show(f"  {'':20}claimed {one.score / 1e6:.1%} by {one.by}, {one.date}: {agrees[row.agrees(one)]}")


def _verified(row: Row) -> str:
    if row.verified is None:
        return "not sat here"
    mean, low, high = (value / 1e6 for value in row.verified.score)
    return f"{mean:7.1%} [{low:.1%}, {high:.1%}]  n {row.verified.n}  {row.verified.digest[:12]}"
