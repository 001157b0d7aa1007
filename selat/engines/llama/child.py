"""The process that holds one model: llama.cpp's own server on a loopback port, until its parent is gone.

Run by path, never imported: it needs the standard library and `xllamacpp` alone. The first line of its standard
input says what to run, as JSON; when the input ends, so does it.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import threading
from typing import Any

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_HTTP_THREADS = 64  # beside four for each conversation: every kept connection holds one


def main() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; our parent tells us
    wanted = json.loads(sys.stdin.readline())
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    import xllamacpp

    server = xllamacpp.Server(_parameters(xllamacpp, wanted))
    # What went wrong is told by now; later lines may repeat what a caller sent, as of a grammar with a mistake.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    print(json.dumps({"address": server.listening_address}), flush=True)  # noqa: T201 - our parent waits
    threading.Event().wait()


def _leave_with_parent() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


def _parameters(xllamacpp: Any, wanted: dict[str, Any]) -> Any:
    found = xllamacpp.CommonParams()
    found.model.path = wanted["gguf"]
    found.model_alias = {wanted["alias"]}
    found.api_keys = [wanted["secret"]] if wanted["secret"] else []
    found.hostnames, found.port = ["127.0.0.1"], 0
    found.n_ctx = wanted["context"] * wanted["parallel"]
    found.n_parallel = wanted["parallel"]
    found.n_gpu_layers = wanted["gpu_layers"]
    found.n_threads_http = _HTTP_THREADS + 4 * wanted["parallel"]
    found.cache_ram_mib = wanted["cache_mb"]
    found.verbosity = 1  # errors alone: no prompt is ever among them
    found.ui = found.endpoint_slots = found.endpoint_props = False
    found.fit_params = False  # the need was checked; what does not fit is an error, not a smaller context
    found.use_jinja = True
    if wanted["threads"]:
        found.cpuparams.n_threads = found.cpuparams_batch.n_threads = wanted["threads"]
    if wanted["chat_template"]:
        with open(wanted["chat_template"], encoding="utf-8") as file:
            found.chat_template = file.read()
    if wanted["embedding"]:
        found.embedding = True
        found.n_batch = found.n_ubatch = min(wanted["context"], 2048)
        if wanted["pooling"]:
            found.pooling_type = xllamacpp.llama_pooling_type(wanted["pooling"])
    if wanted["adapters"]:
        found.lora_adapters = [_adapter(xllamacpp, path) for _, path in wanted["adapters"]]
        found.lora_init_without_apply = True
    return found


def _adapter(xllamacpp: Any, path: str) -> Any:
    adapter = xllamacpp.CommonAdapterLoraInfo()
    adapter.path, adapter.scale = path, 1.0
    return adapter


if __name__ == "__main__":
    main()
