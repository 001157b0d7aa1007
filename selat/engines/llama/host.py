"""The host: holds the models of one machine, loads them on demand and gives room to those that are wanted.

Clients that want a model wait while it loads and while another makes room; only what can never be is refused.
A model gives way when it is not pinned and was called least recently: its clients are told to drain, their open
calls go on to their end, and those that want it again queue behind the one it gave way to.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import StrEnum

from selat.core.errors import EngineUnreachable, Misused
from selat.engines.llama.messages import Drain, FromHost, Gone, Grant, Loaded, Refusal, State
from selat.engines.llama.need import Need, need_of, shown
from selat.engines.llama.process import Process, start
from selat.engines.llama.spec import LlamaSpec

log = logging.getLogger("selat.models")

LOAD_S = 900.0
WATCH_EVERY_S = 1.0
STAY_S = 1.0
"""A model that was just loaded serves this long before it gives way, so that two in turns do not only load."""
FIRST_REST_S, LONGEST_REST_S = 0.5, 60.0
WELL_AFTER_S = 60.0


class Client:
    """Whoever wants models: `tell` sends a message; a handle is its number for a model."""

    def __init__(self, tell: Callable[[FromHost], None]) -> None:
        self.tell = tell
        self.handles: dict[int, Model] = {}


class At(StrEnum):
    """Where a model is."""

    AWAY = "away"
    LOADING = "loading"
    READY = "ready"
    DRAINING = "draining"
    LEAVING = "leaving"


@dataclass(slots=True, eq=False)
class Model:
    """A model that was wanted once. `wanting` and `holding` are clients with their handles."""

    name: str
    spec: LlamaSpec
    need: Need
    at: At = At.AWAY
    process: Process | None = None
    wanting: dict[Client, int] = field(default_factory=dict)
    holding: dict[Client, int] = field(default_factory=dict)
    used: float = 0.0
    ready: float = 0.0
    rest_until: float = 0.0
    rest_s: float = FIRST_REST_S
    reason: str = ""
    revive: bool = False
    pinned: bool = False

    @property
    def rss(self) -> int:
        return self.process.rss() if self.process else 0


class Host:
    """`budget` tells how many bytes all models together may take, `free` what the machine has left."""

    def __init__(self, budget: int, free: Callable[[], int], stay_s: float = STAY_S) -> None:
        self.budget, self._free, self._stay_s = budget, free, stay_s
        self._models: dict[LlamaSpec, Model] = {}
        self._queue: list[Model] = []
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None

    # What clients say.

    def want(self, client: Client, handle: int, name: str, spec: LlamaSpec) -> None:
        model = self._models.get(spec)
        try:
            if model is None or model.at is At.AWAY:
                need = need_of(spec)  # read anew: the file may have changed
                if model is None:
                    model = self._models[spec] = Model(name, spec, need, pinned=spec.pinned)
                model.need = need
            model.need.check(name, spec, self.budget)
        except Misused as error:
            client.tell(Refusal(handle, str(error)))
            return
        client.handles[handle] = model
        model.wanting[client] = handle
        model.pinned = spec.pinned
        if model not in self._queue:
            self._queue.append(model)
        self._changed.set()

    def drained(self, client: Client, handle: int) -> None:
        model = client.handles.get(handle)
        if model is not None and model.holding.pop(client, None) is not None:
            self._changed.set()

    def used(self, client: Client, handle: int) -> None:
        if handle in client.handles:
            client.handles[handle].used = time.monotonic()

    def forget(self, client: Client, handle: int) -> None:
        model = client.handles.get(handle)
        if model is not None:
            model.pinned = False
            model.used = 0.0
            self._changed.set()

    def left(self, client: Client) -> None:
        """A client is gone, and with it all that it held or wanted."""
        for model in client.handles.values():
            model.holding.pop(client, None)
            model.wanting.pop(client, None)
        self._changed.set()

    def state(self) -> State:
        rows = [
            Loaded(one.name, one.spec.gguf, one.at.value, one.need.total, one.rss, one.pinned)
            for one in self._models.values()
            if one.at is not At.AWAY
        ]
        return State(rows, self.budget)

    # What happens then.

    async def run(self) -> None:
        """Serve until cancelled; then every model's process is ended."""
        watching = asyncio.create_task(self._watch())
        try:
            while True:
                await self._changed.wait()
                self._changed.clear()
                self._step()
        finally:
            watching.cancel()
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(watching, *self._tasks, return_exceptions=True)
            left = [one.process for one in self._models.values() if one.process]
            await asyncio.gather(*(process.end() for process in left))

    def _step(self) -> None:
        """Grant what is ready, give up what is drained, and load what is wanted, in the order it was wanted."""
        now = time.monotonic()
        for model in self._models.values():
            if model.at is At.DRAINING and not model.holding:
                self._unload(model)
        self._queue = [model for model in self._queue if model.wanting or model.revive]
        for model in tuple(self._queue):
            if model.at is At.READY:
                self._grant(model)
            elif model.at is At.AWAY and not self._load_or_wait(model, now):
                break  # those behind it do not take the room it waits for

    def _grant(self, model: Model) -> None:
        assert model.process is not None
        self._queue.remove(model)
        model.revive = False
        model.used = time.monotonic()
        for client, handle in model.wanting.items():
            model.holding[client] = handle
            client.tell(Grant(handle, model.process.port, model.process.secret))
        model.wanting = {}

    def _load_or_wait(self, model: Model, now: float) -> bool:
        """False while it waits for room."""
        if now < model.rest_until:
            if model.reason:
                self._refuse(model, f"{model.reason}; tried again in {model.rest_until - now:.0f} s")
            else:
                self._wake_at(model.rest_until)
            return True
        staying = [one for one in self._models.values() if one.at is not At.AWAY]
        taken = sum(one.need.total for one in staying)
        lacking = max(taken + model.need.total - self.budget, model.need.total - self._free())
        if lacking <= 0:
            self._load(model)
            return True
        if not model.wanting:  # to revive it nobody gives way
            self._queue.remove(model)
            model.revive = False
            return True
        going = [one for one in staying if one.at in (At.DRAINING, At.LEAVING)]
        lacking -= sum(one.need.total for one in going)
        loading = any(one.at is At.LOADING for one in staying)
        ready = sorted((one for one in staying if one.at is At.READY and not one.pinned), key=lambda one: one.used)
        for victim in ready:
            if lacking <= 0:
                break
            if now - victim.ready < self._stay_s and victim.holding:
                self._wake_at(victim.ready + self._stay_s)
                return False
            self._drain(victim)
            going.append(victim)
            lacking -= victim.need.total
        if lacking > 0 and not loading and not going:
            self._refuse(model, self._why_no_room(model, staying))
            return True
        return False

    def _why_no_room(self, model: Model, staying: list[Model]) -> str:
        pinned = ", ".join(f"'{one.name}'" for one in staying if one.pinned)
        if pinned:
            return (
                f"engine '{model.name}': {model.need}, and the pinned models {pinned} leave no room of"
                f" {shown(self.budget)}; unpin one, or raise the setting models_memory_mb"
            )
        return (
            f"engine '{model.name}': {model.need}, and the machine has {shown(self._free())} free;"
            " stop something else, or choose a smaller model"
        )

    def _refuse(self, model: Model, reason: str) -> None:
        wanting, model.wanting = model.wanting, {}
        model.revive = False
        if model in self._queue:
            self._queue.remove(model)
        for client, handle in wanting.items():
            client.tell(Refusal(handle, reason))

    def _drain(self, model: Model) -> None:
        model.at = At.DRAINING
        for client, handle in model.holding.items():
            client.tell(Drain(handle))
        if not model.holding:
            self._unload(model)

    def _unload(self, model: Model) -> None:
        model.at = At.LEAVING
        self._spawn(self._leave(model))

    def _load(self, model: Model) -> None:
        model.at = At.LOADING
        self._spawn(self._run_model(model))

    async def _leave(self, model: Model) -> None:
        if model.process is not None:
            await model.process.end()

    async def _run_model(self, model: Model) -> None:
        """Start a model's process, and be there when it ends."""
        log.info("loading '%s': %s", model.name, model.need)
        try:
            process = await start(model.name, model.spec, model.need, LOAD_S)
        except EngineUnreachable as error:
            log.error("%s", error)
            model.at, model.reason = At.AWAY, str(error)
            self._rest(model)
            self._refuse(model, str(error))
            self._changed.set()
            return
        model.process, model.at, model.reason = process, At.READY, ""
        model.ready = model.used = time.monotonic()
        self._changed.set()
        code = await process.handle.wait()
        leaving, model.process = model.at is At.LEAVING, None
        await process.reader
        model.at = At.AWAY
        if not leaving:
            if time.monotonic() - model.ready > WELL_AFTER_S:
                model.rest_s = FIRST_REST_S
            log.error(
                "the process of '%s' ended with %s; loading it again in %.1f s", model.name, code, model.rest_s
            )
            self._rest(model)
            model.revive = True
            if model not in self._queue:
                self._queue.append(model)
        holding, model.holding = model.holding, {}
        for client, handle in holding.items():
            client.tell(Gone(handle))
        self._changed.set()

    def _rest(self, model: Model) -> None:
        model.rest_until = time.monotonic() + model.rest_s
        model.rest_s = min(model.rest_s * 2, LONGEST_REST_S)

    async def _watch(self) -> None:
        """End the process of a model that grew over its limit; it is then loaded again like after a crash."""
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            for model in self._models.values():
                limit = model.need.limit(model.spec)
                if model.process is not None and (held := model.process.rss()) > limit:
                    log.error(
                        "'%s' holds %s, over its limit of %s (memory_mb)", model.name, shown(held), shown(limit)
                    )
                    model.process.kill()

    def _wake_at(self, when: float) -> None:
        """Look again then; an earlier look stands, and looks again by itself."""
        loop = asyncio.get_running_loop()
        delay = max(0.0, when - time.monotonic()) + 0.005
        if (
            self._timer is None
            or self._timer.cancelled()
            or not loop.time() < self._timer.when() < loop.time() + delay
        ):
            if self._timer is not None:
                self._timer.cancel()
            self._timer = loop.call_later(delay, self._changed.set)

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
