"""meter: what a request may spend is set aside before it goes, and settled by what it used."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from selat.core.entry import Usage
from selat.core.errors import HomeBroken
from selat.policy.quota import NOTHING, Quota, Spender
from selat.wire import Ask

Settle = Callable[[Usage | None], None]
"""Settles a reservation by the tokens used; None gives everything back, for a request that never went."""

CHARACTERS_PER_TOKEN: Final = 4
ANSWER_TOKENS = 1024
"""Set aside for an answer whose request names no limit of its own."""


@dataclass(frozen=True, slots=True)
class Price:
    """Ringgit per million tokens, which is microringgit per token."""

    prompt: float = 0.0
    completion: float = 0.0

    def cost(self, prompt: int, completion: int) -> int:
        """Microringgit, rounded up."""
        exact = prompt * self.prompt + completion * self.completion
        return int(exact) + (exact > int(exact))


FREE = Price()


def read_prices(path: Path) -> Mapping[str, Price]:
    """Prices by engine from a TOML file; none where it is missing. Raises: HomeBroken, naming the engine.

    [engine-name]
    prompt_rm_per_million = 1.50
    completion_rm_per_million = 6.00
    """
    if not path.exists():
        return {}
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise HomeBroken(f"{path.name} cannot be read as TOML: {error}. Mend or remove it") from error
    return {name: _price(path.name, name, row) for name, row in table.items()}


def _price(file: str, name: str, row: object) -> Price:
    known = ("prompt_rm_per_million", "completion_rm_per_million")
    if not isinstance(row, dict) or set(row) - set(known):
        raise HomeBroken(f"{file}: engine '{name}': known are {' and '.join(known)}")
    values = [row.get(field, 0.0) for field in known]
    if not all(isinstance(value, int | float) and value >= 0 for value in values):
        raise HomeBroken(f"{file}: engine '{name}': a price is 0 or more ringgit per million tokens")
    return Price(*values)


def metering(quota: Quota, prices: Mapping[str, Price]) -> Callable[[Ask, str], Settle]:
    """How the chat flow reserves: for an Ask at an engine, the call that settles it.

    It raises TooMany, naming the limit and when it begins anew; and Unavailable.
    """

    def reserve(ask: Ask, engine: str) -> Settle:
        caller = ask.caller
        if not quota.binds(caller.tenant):
            return free
        spender = Spender(caller.tenant, caller.key, ask.purpose)
        price = prices.get(engine, FREE)
        prompt, completion = len(ask.body) // CHARACTERS_PER_TOKEN, _answer_tokens(ask)
        amounts = _amounts(prompt, completion, price)
        held = quota.reserve(spender, amounts)
        if held is NOTHING:
            return free

        def settle(usage: Usage | None) -> None:
            if usage is None:
                quota.settle(held, {})
                return
            # A caller who hangs up before the engine's count comes has had the prompt read all the same.
            read = usage.prompt if usage.source == "engine" else prompt
            quota.settle(held, _amounts(read, usage.completion, price))

        return settle

    return reserve


def free(usage: Usage | None) -> None:
    """Settles a request that no limit binds."""


def _amounts(prompt: int, completion: int, price: Price) -> dict[str, int]:
    return {
        "requests": 1,
        "tokens": prompt + completion,
        "microringgit": price.cost(prompt, completion),
    }


def _answer_tokens(ask: Ask) -> int:
    """The most tokens that the answer may have: the request's own limit, for each choice it asks for."""
    if ask.api.name in ("embeddings", "rerank"):
        return 0
    asked = ask.document.get("max_completion_tokens") or ask.document.get("max_tokens")
    choices = ask.document.get("n")
    most = asked if isinstance(asked, int) and asked > 0 else ANSWER_TOKENS
    return most * (choices if isinstance(choices, int) and choices > 0 else 1)
