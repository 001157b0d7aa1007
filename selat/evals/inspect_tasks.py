"""The packs as Inspect tasks: `inspect eval selat/tatabahasa --model …`, with the same questions and scorers.

Also `inspect eval selat/pek -T name=pack.toml`, and `-T template=kurungan` on each. Needs the extra `evals`.
"""

from __future__ import annotations

import msgspec
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser, GenerateConfig
from inspect_ai.scorer import Score, Scorer, Target, accuracy, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.tool import ToolDef, ToolParams

from selat.evals.item import Item, Pack, Reply, ToolUse
from selat.evals.load import shipped
from selat.evals.named import pack_named
from selat.evals.score import score as score_reply
from selat.evals.template import DEFAULT, SEED, messages

_SAID = {"system": ChatMessageSystem, "user": ChatMessageUser}


def _task(name: str, template: str) -> Task:
    pack = pack_named(name)
    return Task(
        dataset=MemoryDataset([_sample(pack, item, template) for item in pack.items], name=pack.name),
        solver=_put(pack),
        scorer=_scored(),
        config=GenerateConfig(temperature=0, seed=SEED, max_tokens=pack.max_tokens),
        name=pack.name,
        version=pack.digest[:12],
    )


def _sample(pack: Pack, item: Item, template: str) -> Sample:
    put: list[ChatMessage] = [_SAID[one["role"]](content=one["content"]) for one in messages(item, template)]
    kept = {"item": msgspec.json.encode(item).decode(), "cluster": item.cluster, "language": item.language}
    return Sample(id=item.id, input=put, target=item.answer or item.expect or item.reference, metadata=kept)


@solver
def _put(pack: Pack) -> Solver:
    """Ask once, with the item's tools offered and none of them run."""
    offered = {
        tool.name: ToolDef(
            _never,
            name=tool.name,
            description=tool.description,
            parameters=ToolParams.model_validate_json(tool.parameters),
        )
        for tool in pack.tools
    }

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        item = _item(state)
        state.tools = [offered[name].as_tool() for name in item.tools]
        return await generate(state, tool_calls="none")

    return solve


async def _never(**arguments: str) -> str:
    """Stands for a tool that is offered and never run."""
    raise NotImplementedError


@scorer(metrics=[accuracy(), stderr(cluster="cluster")])
def _scored() -> Scorer:
    async def scored(state: TaskState, target: Target) -> Score:
        message = state.output.message if state.output.choices else None
        uses = [
            ToolUse(call.function, msgspec.json.encode(call.arguments).decode())
            for call in (message.tool_calls or () if message else ())
        ]
        finish = "length" if state.output.stop_reason == "max_tokens" else "stop"
        found = score_reply(_item(state), Reply(state.output.completion, finish, tool_uses=tuple(uses)))
        told = {"status": found.status, "truncated": found.truncated}
        return Score(value=found.value, answer=found.answer, metadata=told)

    return scored


def _item(state: TaskState) -> Item:
    return msgspec.json.decode(state.metadata["item"], type=Item)


@task
def pek(name: str, template: str = DEFAULT) -> Task:
    """Any pack: by name, by the path of its file, or an exam of others as NAME=PATH."""
    return _task(name, template)


def _register(name: str) -> None:
    @task(name=name.replace("-", "_"))
    def shipped_pack(template: str = DEFAULT) -> Task:
        return _task(name, template)


for _name in shipped():
    _register(_name)
