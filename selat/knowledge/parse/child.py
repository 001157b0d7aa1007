"""Parsing in a child process with limits of time and memory, so that no document ends the service."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from selat.core.errors import DocumentUnreadable
from selat.knowledge.parse.parsed import Block, ParsedText

TIMEOUT_S = 120.0
MEMORY_BYTES = 2 << 30


class Child:
    """A parsing process, started at the first document and again whenever one has ended it."""

    def __init__(self, timeout_s: float = TIMEOUT_S, memory_bytes: int = MEMORY_BYTES) -> None:
        self._timeout_s = timeout_s
        self._memory_bytes = memory_bytes
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def parse(self, path: Path) -> ParsedText:
        """As `parse`, and also DocumentUnreadable when the limits of time or memory were met."""
        process = self._started()
        assert process.stdin
        try:
            process.stdin.write(json.dumps(str(path.resolve())).encode() + b"\n")
            process.stdin.flush()
            line = self._line(process)
        except BrokenPipeError:
            line = b""
        if not line.endswith(b"\n"):
            self.close()
            raise DocumentUnreadable(
                f"parsing took over {self._timeout_s:g} s or {self._memory_bytes >> 20} MiB; split the document"
            )
        reply = json.loads(line)
        if "error" in reply:
            raise DocumentUnreadable(reply["error"])
        return ParsedText(reply["text"], tuple(map(_block, reply["blocks"])), reply["facts"])

    def close(self) -> None:
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(  # noqa: S603  our own module, no word of the document's
                [sys.executable, "-m", "selat.knowledge.parse.serve", str(self._memory_bytes)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)},
            )
        return self._process

    def _line(self, process: subprocess.Popen[bytes]) -> bytes:
        """One line of the child's, cut short when it ends or the time is up."""
        assert process.stdout
        deadline = time.monotonic() + self._timeout_s
        pieces: list[bytes] = []
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while (left_s := deadline - time.monotonic()) > 0:
                if not selector.select(left_s):
                    break
                piece = os.read(process.stdout.fileno(), 1 << 20)
                pieces.append(piece)
                if not piece or piece.endswith(b"\n"):
                    break
        return b"".join(pieces)


def _block(told: list[Any]) -> Block:
    start, end, heading, page, table, box, rows = told
    return Block(start, end, heading, page, table, tuple(box) if box else None, tuple(rows) if rows else None)
