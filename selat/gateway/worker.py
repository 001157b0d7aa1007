"""One gateway worker: the platform's objects handed to the door, served, and closed again."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

from selat.app import Platform
from selat.core.errors import SelatError
from selat.flows.answer import Librarian, answer, collection_of
from selat.flows.chat import Desk, Streamed, Whole, chat
from selat.flows.receipt import receipt
from selat.gateway.app import Gateway
from selat.gateway.door import Answer, Door, Limits
from selat.gateway.metrics import Metrics, load, render
from selat.gateway.server import serve
from selat.wire import Ask

SAVE_EVERY_S = 1.0


def build_door(platform: Platform, metrics: Metrics) -> Door:
    """Everything the handlers need, built now so that a broken home stops the worker before it serves."""
    settings = platform.settings
    desk = platform.desk(metrics.count)
    saved = platform.home.metrics / f"{platform.worker}.json"
    return Door(
        identify=platform.keys.identify,
        answer=answering(platform, desk),
        models=lambda: model_cards(platform),
        receipt=lambda receipt_id, tenant: receipt(platform.book, receipt_id, tenant),
        ready=lambda: problems(platform),
        metrics=metrics,
        render_metrics=lambda: render([metrics.samples, *load(platform.home.metrics, saved)]),
        limits=Limits(settings.body_limit_bytes, settings.body_timeout_s, settings.head_timeout_s),
    )
