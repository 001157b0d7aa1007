"""The results of a run that is kept, pack by pack."""

from __future__ import annotations

from selat.evals.corpus import directions
from selat.evals.item import Pack
from selat.evals.run import Run
from selat.evals.stats import Estimate
from selat.evals.store import Store
from selat.evals.summary import Summary, summarise
from selat.evals.template import count


def results_of(store: Store, run: Run) -> list[tuple[Pack, Summary]]:
    """Each pack of a run with its summary; translations have the chrF of the whole of each direction beside it.

    Raises: NotFound, when a pack of the run is not kept; Misused, for translations without sacrebleu.
    """
    scored, forms = store.scored(run.id), [form.name for form in run.templates]
    found: list[tuple[Pack, Summary]] = []
    for exam in run.packs:
        pack = store.pack(exam.digest)
        whole: tuple[tuple[str, Estimate], ...] = ()
        if any(item.kind == "chrf" for item in pack.items):
            mine = [one for one in scored if one.pack == pack.name]
            whole = directions(pack, mine, store.replies(run.subject.digest, [one.sample for one in mine]))
        found.append((pack, summarise(pack, scored, count(pack, forms), whole)))
    return found
