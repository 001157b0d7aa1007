"""chrF of a whole translation, as papers give it: counted over all sentences together, not averaged over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from selat.core.errors import Misused
from selat.evals.item import Pack, Reply, Scored
from selat.evals.stats import Estimate

_DRAWS = 500


def corpus_chrf(pairs: Sequence[tuple[str, str]]) -> Estimate:
    """chrF2 of (translation, reference) pairs, from 0 to 1, with the 95 % interval of sacrebleu's bootstrap.

    Source: Popović 2015; Post 2018. Raises: Misused, without sacrebleu.
    """
    try:
        from sacrebleu.metrics.chrf import CHRF
    except ImportError as error:
        raise Misused("chrF needs sacrebleu: pip install 'selat[evals]'") from error
    said, references = [text for text, _ in pairs], [reference for _, reference in pairs]
    found = CHRF().corpus_score(said, [references], n_bootstrap=_DRAWS)
    # sacrebleu shows both only in its text, as μ ± half the interval.
    middle, half = found._mean, found._ci
    return Estimate(
        found.score / 100, max(0.0, middle - half) / 100, min(100.0, middle + half) / 100, len(pairs), len(pairs)
    )


def directions(
    pack: Pack, scored: Sequence[Scored], replies: Mapping[str, Reply]
) -> tuple[tuple[str, Estimate], ...]:
    """The corpus chrF of each direction of a pack (`ms>en`); nothing where it has no translations."""
    references = {item.id: item.reference for item in pack.items if item.kind == "chrf"}
    pairs: dict[str, list[tuple[str, str]]] = {}
    for one in scored:
        if one.item in references and one.score.status != "denied" and one.sample in replies:
            text = replies[one.sample].text.strip()
            pairs.setdefault(one.topic, []).append((text, references[one.item]))
    return tuple((way, corpus_chrf(some)) for way, some in sorted(pairs.items()))
