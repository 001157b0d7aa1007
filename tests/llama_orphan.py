"""Started by a test: holds a model, says its process id, and waits to be killed."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from llama_kit import ask, hosted


async def main(gguf: Path, folder: Path) -> None:
    async with hosted(folder) as here:
        await ask(here.engine("a", gguf))
        print(here.pid("a"), flush=True)
        await asyncio.sleep(60)


asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
