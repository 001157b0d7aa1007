"""The pages, one file each; the order of this table is the order of the menu."""

from __future__ import annotations

from selat.console.page import Page
from selat.console.pages import (
    ask,
    documents,
    engines,
    folders,
    ledger,
    me,
    models,
    people,
    policy,
    setup,
    sign_in,
    sovereignty,
    usage,
)

PAGES: tuple[Page, ...] = (
    sign_in.PAGE,
    me.PAGE,
    ask.PAGE,
    documents.PAGE,
    folders.PAGE,
    ledger.PAGE,
    policy.PAGE,
    sovereignty.PAGE,
    engines.PAGE,
    models.PAGE,
    usage.PAGE,
    people.PAGE,
    setup.PAGE,
)
