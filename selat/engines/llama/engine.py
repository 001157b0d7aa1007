"""llama.cpp as an engine: a GGUF file run by the host of models, called over HTTP like any other engine."""

from __future__ import annotations

import asyncio
import importlib.util

import msgspec

from selat.core.caller import Site
from selat.core.errors import EngineUnreachable, Misused
from selat.engines.engine import Answer, Call, Health
from selat.engines.limits import Capacity
from selat.engines.llama.lease import Lease, Leases
from selat.engines.llama.messages import Grant
from selat.engines.llama.need import Need, need_of
from selat.engines.llama.process import EXTRA
from selat.engines.llama.spec import LlamaSpec
from selat.engines.pool import Address, Pool, WatchedPool
from selat.engines.spec import EngineSpec

_GONE_WITHIN_S, _LOOK_EVERY_S = 0.5, 0.02

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encode = msgspec.json.Encoder().encode


class LlamaEngine:
    """An engine whose process is started when it is wanted and may give way to another; both are only waiting."""

    def __init__(self, spec: EngineSpec, leases: Leases) -> None:
        """Raises: Misused, when the file is not named. Nothing is loaded yet."""
        if spec.llama is None:
            raise Misused('an engine of kind llama names its file: llama = { gguf = "/path/to/model.gguf" }')
        self.spec = spec
        self.llama: LlamaSpec = spec.llama
        self.name = spec.name
        self.site: Site = spec.site
        self.models = tuple(public for public, _ in spec.models)
        self._upstream = dict(spec.models)
        self._adapters = {name: number for number, (name, _) in enumerate(self.llama.adapters)}
        usual = spec.capacity
        # More connections than conversations at once would queue inside llama.cpp, where no turns are kept.
        self._capacity = Capacity(min(usual.max_connections, self.llama.parallel), usual.max_waiting, usual.idle_s)
        self._pool: WatchedPool | None = None
        self._leases = leases
        self._lease = Lease(spec.name, self.llama, lambda: self.in_flight == 0, self._leave)
        self._handle = leases.add(self._lease)

    @property
    def in_flight(self) -> int:
        return 0 if self._pool is None else self._pool.in_flight

    @property
    def waiting(self) -> int:
        return len(self._lease.waiting) + (0 if self._pool is None else self._pool.waiting)

    def upstream_model(self, model: str) -> str:
        return self._upstream.get(model, model)

    async def send(self, call: Call) -> Answer:
        call = self._adapted(call)
        grant = await self._take()
        try:
            return await self._with(grant, call)
        except EngineUnreachable:
            if not await self._is_over(grant):
                raise
        # Its process ended before a byte of the answer came: the call waits for the next one.
        return await self._with(await self._take(), call)

    async def _take(self) -> Grant:
        return await self._leases.take(self._handle, self.spec.timeouts.load_s)

    async def _with(self, grant: Grant, call: Call) -> Answer:
        try:
            head = _HEAD % (call.path.encode("ascii"), grant.secret.encode("ascii"), len(call.body))
            return await self._pool_of(grant).exchange(head, call)
        finally:
            self._lease.begun()
            self._leases.check(self._handle)

    async def _is_over(self, grant: Grant) -> bool:
        """Whether the model's process has ended, of which the host may still be about to tell."""
        for _ in range(int(_GONE_WITHIN_S / _LOOK_EVERY_S)):
            if self._lease.grant is not grant:
                return True
            await asyncio.sleep(_LOOK_EVERY_S)
        return False

    def _pool_of(self, grant: Grant) -> Pool:
        if self._pool is None:
            self._pool = WatchedPool(
                self.name,
                Address("127.0.0.1", grant.port, None),
                self.spec.timeouts,
                self._capacity,
                lambda: self._leases.check(self._handle),
            )
        return self._pool

    def _leave(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shut()

    async def health(self) -> Health:
        """Whether the file can be run, without loading it."""
        if importlib.util.find_spec("xllamacpp") is None:
            return Health(False, EXTRA)
        try:
            need = await asyncio.to_thread(need_of, self.llama)
        except Misused as error:
            return Health(False, str(error))
        state = await self._leases.state()
        loaded = state is not None and any(one.gguf == self.llama.gguf for one in state.models)
        names = (self.name, *(name for name, _ in self.llama.adapters))
        return Health(True, f"{need}; {'loaded' if loaded else 'loaded when first called'}", 0.0, names)

    def need(self) -> Need:
        """What it takes to run it. Raises: Misused."""
        return need_of(self.llama)

    async def close(self) -> None:
        self._leases.drop(self._handle)

    def _adapted(self, call: Call) -> Call:
        """The call with the adapter that its model names, and no other: which is not the caller's choice."""
        if not self._adapters:
            return call
        try:
            fields = _fields.decode(call.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return call  # llama.cpp will say what is wrong with it
        model = msgspec.json.decode(fields.get("model", b'""'))
        chosen = self._adapters.get(model) if isinstance(model, str) else None
        lora = [{"id": number, "scale": 1.0 if number == chosen else 0.0} for number in self._adapters.values()]
        body = _encode({**fields, "lora": lora})
        return Call(call.path, body, call.stream, call.tenant, call.background)


_HEAD = (
    b"POST %b HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept-Encoding: identity\r\nUser-Agent: selat\r\n"
    b"Authorization: Bearer %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)
