"""Models: the shelf, pulls on their way, promotion, evals and origins; each loaded when somebody comes there."""

from __future__ import annotations

from selat.console.page import At, Page, later
from selat.console.words import N_
from selat.gateway.admin.route import OFFICER, OPERATOR, OVERSEERS, READERS

PAGE = Page(
    "models",
    N_("Rak model"),
    (
        At("GET", "/models", later("model_shelf", "show")),
        At("POST", "/models/look", later("model_pulls", "look"), roles=OPERATOR),
        At("POST", "/models/pull", later("model_pulls", "begin"), roles=OPERATOR),
        At("POST", "/models/pull/stop", later("model_pulls", "stop"), roles=OPERATOR),
        At("POST", "/models/pull/resume", later("model_pulls", "resume"), roles=OPERATOR),
        At("GET", "/models/pulls/events", later("model_pulls", "events")),
        At("GET", "/models/one", later("model_one", "show")),
        At("POST", "/models/verify", later("model_one", "verify"), roles=OVERSEERS),
        At("POST", "/models/check/stop", later("model_one", "stop"), roles=OVERSEERS),
        At("POST", "/models/admit", later("model_one", "admit"), roles=OFFICER),
        At("POST", "/models/remove", later("model_one", "remove"), roles=OPERATOR),
        At("GET", "/models/leave", later("model_leave", "show")),
        At("POST", "/models/promote", later("model_leave", "promote"), roles=OPERATOR),
        At("GET", "/models/passport/{digest}", later("model_leave", "passport")),
        At("GET", "/models/evals", later("model_evals", "show")),
        At("GET", "/models/origin", later("model_origin", "show")),
    ),
    icon="models",
    group=N_("Rumah"),
    roles=READERS,
    house=True,
)
