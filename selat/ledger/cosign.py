"""Asks witnesses to cosign a checkpoint, all at once, and waits no longer than a step may."""

from __future__ import annotations

import logging
import urllib.error
import urllib.request
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from http.client import HTTPException

from selat.core.checkpoint import parse_number
from selat.core.errors import LedgerBroken, LedgerUnavailable
from selat.core.note import Note, Signature, VerifierKey, b64, parse_note
from selat.core.signature import verifies
from selat.core.tree import consistency_proof
from selat.core.trust import Trust
from selat.ledger.log import Log
from selat.ledger.tiles import Tiles

ANSWER_S = 5.0
MAX_ANSWER_BYTES = 64 * 1024
log = logging.getLogger("selat.ledger")


@dataclass(frozen=True, slots=True)
class _Asked:
    """One question to one witness: its URL and keys, the signed note, and tiles to prove consistency with."""

    name: str
    url: str
    keys: tuple[VerifierKey, ...]
    note: Note
    tiles: Tiles


class Cosigners:
    """The witnesses that the trust file names with a URL; `refusals` says what each that refused answered."""

    def __init__(self, tiles: Log) -> None:
        self._log = tiles
        self._sizes: dict[str, int] = {}
        self._running: dict[str, Future[list[Signature]]] = {}
        self._pool: ThreadPoolExecutor | None = None
        self.refusals: dict[str, str] = {}

    def ask(self, note: Note, size: int, trust: Trust, wait_s: float) -> list[Signature]:
        """The cosignatures on `note` (a checkpoint of `size` leaves, tiles written) that arrive in `wait_s`."""
        asked: dict[str, list[VerifierKey]] = {}
        for name, key in trust.witnesses.items():
            if name in trust.urls:
                asked.setdefault(trust.urls[name], []).append(key)
        if not asked:
            return []
        if self._pool is None:
            self._pool = ThreadPoolExecutor(16, thread_name_prefix="cosign")
        tiles = Tiles(self._log, size)
        for url, keys in asked.items():
            if url not in self._running or self._running[url].done():
                question = _Asked(keys[0].name, url, tuple(keys), note, tiles)
                self._running[url] = self._pool.submit(self._question, question)
        done, _ = wait(self._running.values(), timeout=wait_s)
        text = note.unverified_text.encode()
        lines = [line for future in done for line in future.result()]
        known = {(key.name, key.id): key for key in trust.witnesses.values()}
        return [line for line in lines if _holds(line, known, text)]

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _question(self, asked: _Asked) -> list[Signature]:
        """Ask once, and once more from the size that the witness names; an empty list when it refuses."""
        try:
            old = self._sizes.get(asked.url, 0)
            status, answer = _post(asked, min(old, asked.tiles.size))
            if status == 409:
                old = parse_number(answer.strip(), f"the size named by {asked.name}")
                if old <= asked.tiles.size:
                    status, answer = _post(asked, old)
            if status in (409, 422):
                return self._refused(asked, "it has seen another book: this log has been forked or put back")
            if status != 200:
                return self._refused(asked, f"it answered {status}")
            lines = parse_note(f"{asked.note.unverified_text}\n{answer}").signatures
        except (OSError, HTTPException, LedgerBroken, LedgerUnavailable) as error:
            return self._refused(asked, f"no answer: {type(error).__name__}")
        self._sizes[asked.url] = asked.tiles.size
        self.refusals.pop(asked.name, None)
        return list(lines)

    def _refused(self, asked: _Asked, why: str) -> list[Signature]:
        if self.refusals.get(asked.name) != why:
            log.error("witness %s does not cosign: %s", asked.name, why)
        self.refusals[asked.name] = why
        return []


def _post(asked: _Asked, old: int) -> tuple[int, str]:
    proof = consistency_proof(old, asked.tiles.size, asked.tiles.read)
    body = f"old {old}\n" + "".join(b64(item) + "\n" for item in proof) + f"\n{asked.note}"
    if not asked.url.startswith(("http://", "https://")):
        raise LedgerBroken("a witness's URL starts with http:// or https://")
    request = urllib.request.Request(asked.url.rstrip("/") + "/add-checkpoint", body.encode(), method="POST")  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:  # noqa: S310
            return answer.status, answer.read(MAX_ANSWER_BYTES).decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read(MAX_ANSWER_BYTES).decode("utf-8", "replace")


def _holds(line: Signature, known: dict[tuple[str, bytes], VerifierKey], text: bytes) -> bool:
    key = known.get((line.name, line.key_id))
    return key is not None and verifies(key.kind, key.name, key.public, (text, line.value))
