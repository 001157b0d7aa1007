"""A scripted upstream that sits exams with a known accuracy: what statistics and runners are held against.

    register(packs)                      # then the model "exam:0.7" is right on 70 % of the samples
    "exam:0.7,b"                         # another such model, right on other samples
    "exam:0.7,a,0.05"                    # and it takes 50 ms a sample; `;` does for `,`

Which samples it gets right is decided by digest, so the same model always answers the same.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from typing import Any

from selat.evals.item import COMPLETIONS, FULL_ANSWER, LETTERS, Item, Pack, Reply, ToolUse
from selat.evals.template import messages, put_in, samples, templates
from selat.testing import replies
from selat.testing.behaviours import BEHAVIOURS, Exchange

_known: dict[str, Item] = {}
_REFUSAL = {"en": "I'm sorry, but I can't help with that.", "zh": "抱歉，我无法提供这方面的内容。"}
_UNKNOWN = {"en": "I don't know.", "zh": "不知道。"}


def register(packs: Sequence[Pack]) -> None:
    """Teach the model `exam` the answers of packs, in every form."""
    for pack in packs:
        for item in pack.items:
            for template in templates():
                if put_in(item, template):
                    _known[_key(messages(item, template))] = item
        for template in templates():
            for sample in samples(pack, template, FULL_ANSWER):
                if sample.path == COMPLETIONS:
                    _known[json.dumps(json.loads(sample.body)["prompt"])] = sample.item
    BEHAVIOURS["exam"] = exam


async def exam(x: Exchange) -> None:
    """Answers known samples rightly at the rate of its argument; others with the word `entahlah`."""
    rate, name, delay = [*x.argument.replace(";", ",").split(","), "", ""][:3]
    if delay:
        await asyncio.sleep(float(delay))
    if isinstance(prompts := x.ask.get("prompt"), list):
        return await x.json(_echoed(x.ask, prompts, float(rate or 1), name))
    item = _known.get(_key(x.ask.get("messages", [])))
    if item is None:
        return await x.json(replies.chat(x.ask, "entahlah"))
    reply = right(item) if is_right(item, float(rate or 1), name) else wrong(item)
    await x.json(_body(x.ask, item, reply))


def is_right(item: Item, rate: float, name: str = "") -> bool:
    """Whether the model of that rate and name gets an item right."""
    drawn = int.from_bytes(hashlib.sha256(f"{item.id}/{name}".encode()).digest()[:6], "big")
    return drawn / 2**48 < rate


def right(item: Item) -> Reply:
    """A reply that is worth 1."""
    if item.kind == "choice":
        return Reply(f"Jawapan: {item.answer}")
    if item.kind == "refuse":
        said = "Baik, inilah penjelasannya." if item.expect == "answer" else _REFUSAL.get(item.language, _NO)
        return Reply(said)
    if item.kind == "tool":
        given = {
            name: wanted.removeprefix("re:").replace(".*", "").split("|")[0] for name, wanted in item.arguments
        }
        return Reply("" if item.call else "Sama-sama.", tool_uses=_uses(item.call, given))
    if item.kind == "cite":
        if not item.cites:
            return Reply(_UNKNOWN.get(item.language, "Tidak tahu."))
        return Reply(f"{_plain(item.any_of)} " + "".join(f"[{number}]" for number in item.cites))
    if item.kind in ("chrf", "verbatim"):
        return Reply(item.reference)
    return Reply(" ".join([*(text for text in item.all_of if not text.startswith("re:")), _plain(item.any_of)]))


def wrong(item: Item) -> Reply:
    """A reply that is worth nothing."""
    if item.kind == "choice":
        others = [letter for letter in LETTERS[: len(item.choices)] if letter != item.answer]
        return Reply(f"Jawapan: {others[0]}")
    if item.kind == "refuse":
        return Reply(_NO if item.expect == "answer" else "Baik, ini dia.")
    if item.kind == "stance":
        return Reply(_NO)
    if item.kind == "cite":
        return Reply("Rujuk [9].")
    if item.kind == "tool":
        return Reply("", tool_uses=_uses("salah", {}))
    plain = [text for text in item.none_of if not text.startswith("re:")]
    return Reply(plain[0] if plain else "zzz")


_NO = "Maaf, saya tidak dapat membantu."


def _plain(texts: Sequence[str]) -> str:
    return next((text for text in texts if not text.startswith("re:")), "Baik.")


def _uses(name: str, arguments: dict[str, str]) -> tuple[ToolUse, ...]:
    return (ToolUse(name, json.dumps(arguments, ensure_ascii=False)),) if name else ()


def _key(conversation: Sequence[dict[str, Any]]) -> str:
    return json.dumps([[one.get("role"), replies.last_text({"messages": [one]})] for one in conversation])


def _echoed(ask: dict[str, Any], prompts: list[str], rate: float, name: str) -> bytes:
    """Completions with their prompts' log-probabilities, a word a token, as vLLM gives them: the chosen option's
    words are likelier than the others'; the first token has none, the last is the model's own.
    """
    item = _known[json.dumps(prompts)]
    place = LETTERS.index(item.answer)
    chosen = place if is_right(item, rate, name) else (place + 1) % len(prompts)
    choices = []
    for index, prompt in enumerate(prompts):
        words = prompt.split()
        likely = [-1.0 if index == chosen else -2.0 - index] * (len(words) - 1)
        logprobs = {"tokens": [*words, "!"], "token_logprobs": [None, *likely, -0.001]}
        choices.append({"index": index, "text": f"{prompt}!", "finish_reason": "length", "logprobs": logprobs})
    body = json.loads(replies.completion(ask, ""))
    return replies.dump({**body, "choices": choices[::-1]})  # in no order that can be relied on


def _body(ask: dict[str, Any], item: Item, reply: Reply) -> bytes:
    if reply.tool_uses:
        body = json.loads(replies.tool_call(ask, reply.tool_uses[0].arguments))
        body["choices"][0]["message"]["tool_calls"][0]["function"]["name"] = reply.tool_uses[0].name
        return replies.dump(body)
    text = reply.text
    body = json.loads(replies.chat(ask, text))
    if ask.get("logprobs"):
        letter = text.rpartition(" ")[2]
        rest = [other for other in LETTERS[: len(item.choices)] if other != letter]
        top = [{"token": f" {one}", "logprob": -0.2 - place} for place, one in enumerate([letter, *rest])]
        body["choices"][0]["message"]["content"] = letter
        body["choices"][0]["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
    return replies.dump(body)
