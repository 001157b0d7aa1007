"""The four scores count what was served, and the drill finds the loss that hurts most."""

from __future__ import annotations

from selat.core.caller import Site
from selat.flows.sovereignty import Served, Standing, assess, drill

HERE = Site("MY")
ABROAD = Site("SG", "Awan Sdn Bhd", "US", "nvidia")
OURS = Standing("rumah", HERE, {"chat": "Qwen/Qwen3-8B"})
THEIRS = Standing("awan", ABROAD, {"chat": "meta-llama/Llama-3.3-70B-Instruct", "besar": "besar"})
QUOTES = Standing("extractive", HERE, {"extractive": "extractive"}, weights=False)


def never(purpose: str, model: str, engine: str) -> bool:
    return False


def test_each_score_counts_what_it_says() -> None:
    served = [
        Served("chat", "chat", "rumah", 60, 60),
        Served("chat", "besar", "awan", 30, 28),
        Served("docs", "extractive", "extractive", 10, 10),
    ]
    found = assess(served, [OURS, THEIRS, QUOTES], "MY", lambda purpose, model, engine: engine == "rumah")
    shares = {score.name: score.share for score in found.scores}
    assert shares == {"receipts": 0.98, "passports": 60 / 90, "residency": 0.7, "survivability": 0.7}
    by_name = {score.name: score for score in found.scores}
    assert by_name["receipts"].missing == (("awan", 2),)
    assert by_name["passports"].missing == (("besar · chat", 30),)
    assert by_name["residency"].missing == (("awan · SG", 30),)


def test_the_drill_cuts_every_tie_and_names_the_worst_first() -> None:
    served = [Served("chat", "chat", "rumah", 5, 5), Served("chat", "besar", "awan", 3, 3)]
    cuts = {(cut.kind, cut.name): cut.lost for cut in drill(served, [OURS, THEIRS], "MY")}
    assert cuts[("operator", "Awan Sdn Bhd")] == cuts[("country", "US")] == cuts[("country", "SG")] == 3
    assert cuts[("hardware", "nvidia")] == 3
    assert cuts[("engine", "rumah")] == 0, "the other vendor serves `chat` too"
    assert drill(served, [OURS, THEIRS], "MY")[0].lost == 3


def test_one_vendors_country_behind_two_engines_is_one_loss() -> None:
    twice = [OURS, Standing("rumah-2", HERE, {"chat": "Qwen/Qwen3-4B"})]
    cuts = {(cut.kind, cut.name): cut.lost for cut in drill([Served("chat", "chat", "rumah", 4, 4)], twice, "MY")}
    assert cuts[("engine", "rumah")] == cuts[("engine", "rumah-2")] == 0
    assert cuts[("vendor", "CN")] == 4


def test_an_engine_that_is_gone_is_neither_resident_nor_survived() -> None:
    found = assess([Served("chat", "lama", "dulu", 7, 7)], [OURS], "MY", never)
    shares = {score.name: score.share for score in found.scores}
    assert shares == {"receipts": 1.0, "passports": 0.0, "residency": 0.0, "survivability": 0.0}


def test_where_nothing_was_served_nothing_is_scored() -> None:
    assert [score.share for score in assess([], [OURS], "MY", never).scores] == [None] * 4
