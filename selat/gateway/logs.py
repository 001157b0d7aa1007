"""The log: a JSON object a line, or readable on a terminal; a request's id on its lines, no content and no key."""

from __future__ import annotations

import json
import logging
import random
import re
import sys
import time
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from selat.core.errors import SelatError

if TYPE_CHECKING:
    from selat.gateway.http import Request

log = logging.getLogger("selat.gateway")

CURRENT: ContextVar[str] = ContextVar("selat_request", default="")
"""The id of the request that the task at hand works on; threads that it starts see it too. Only the id: pooled
connections keep the context they were made in, and would keep a whole request."""

FAILURES_PER_S = 10
HUNG_UP = 499
_KEY = re.compile(r"sk-selat-\w+")
_OURS = "selat"


class Lines(logging.Formatter):
    """A record as one line of JSON. What `extra={"fields": …}` holds stands beside the message.

    Of an exception only its type and places are told: a foreign one's text may repeat a prompt. For the same
    reason other packages' messages are cut at their first line.
    """

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(fields_of(record), ensure_ascii=False, default=str)


class Readable(logging.Formatter):
    """The same, for a person at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        told = fields_of(record)
        head = f"{told.pop('time')[11:23]} {told.pop('level'):7} {told.pop('logger')} {told.pop('message')}"
        return " ".join([head, *(f"{name}={value}" for name, value in told.items())])


def fields_of(record: logging.LogRecord) -> dict[str, str]:
    """What is told of a record: time (RFC 3339, UTC), level, logger, message, request and further fields."""
    message = record.getMessage()
    if not record.name.startswith(_OURS):
        message = message.partition("\n")[0]
    told = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
        "level": record.levelname,
        "logger": record.name,
        "message": _KEY.sub("sk-selat-…", message).replace("\n", " "),
    }
    if request := CURRENT.get():
        told["request"] = request
    if record.exc_info and record.exc_info[0] is not None:
        told["error"] = record.exc_info[0].__name__
        told["at"] = " < ".join(
            f"{one.name}:{one.lineno}" for one in reversed(traceback.extract_tb(record.exc_info[2]))
        )
    return told | getattr(record, "fields", {})


def begin(form: str, level: str, stream: TextIO | None = None) -> None:
    """Log to `stream` (stderr) as `log_format` and `log_level` say, in place of what was set up before."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    readable = form == "text" or (form == "auto" and stream.isatty())
    handler.setFormatter(Readable() if readable else Lines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


class Access:
    """Lines about requests: a share of all, and every failure of ours or an engine's up to ten a second."""

    def __init__(self, share: float) -> None:
        self.share = share
        self._chance = random.Random()  # noqa: S311 - which requests get a line is no secret
        self._second, self._told, self._untold = 0, 0, 0

    def failed(self, error: SelatError) -> None:
        """Tell of an error that a caller got with a status of 500 or more; our errors' texts hold no content."""
        second = int(time.monotonic())
        if second != self._second:
            if self._untold:
                log.warning("%d more failures were not told", self._untold)
            self._second, self._told, self._untold = second, 0, 0
        if self._told >= FAILURES_PER_S:
            self._untold += 1
            return
        self._told += 1
        log.warning("%s", error, extra={"fields": {"status": error.status, "code": error.code}})

    def ended(self, request: Request, route: str) -> None:
        """Tell of a request's end, if it is of the share. The route, not the path: that holds a caller's words."""
        if self.share < 1 and self._chance.random() >= self.share:
            return
        told: dict[str, object] = {
            "method": request.method,
            "route": route,
            "status": request.status if request.ended else HUNG_UP,
            "ms": round((time.monotonic() - request.arrived) * 1000, 3),
        }
        if (ask := request.asked) is not None:
            told |= {"tenant": ask.caller.tenant, "key": ask.caller.key, "stream": ask.stream}
            if ask.timing.engine:
                told |= {"model": ask.model, "engine": ask.timing.engine, "outcome": ask.timing.outcome}
        if request.receipt:
            told["receipt"] = request.receipt
        log.info("request", extra={"fields": told})
