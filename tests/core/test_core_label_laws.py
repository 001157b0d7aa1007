"""The laws of labels: joining only ever makes stricter, axes never mix, text and JSON bring labels back."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selat.core.errors import BadRequest
from selat.core.label import (
    HIGHEST,
    LOWEST,
    CloudClass,
    Label,
    Official,
    PersonalKind,
    label_from,
    parse_label,
)

PLACES = st.frozensets(st.sampled_from(["MY", "SG", "CN", "US", "ID"]), max_size=3)
LABELS = st.builds(
    Label, st.sampled_from(Official), st.sampled_from(CloudClass), st.sampled_from(PersonalKind), PLACES
)


@given(LABELS, LABELS, LABELS)
def test_joining_is_commutative_associative_and_idempotent(a: Label, b: Label, c: Label) -> None:
    assert a.join(b) == b.join(a)
    assert a.join(b).join(c) == a.join(b.join(c))
    assert a.join(a) == a
    assert a.join(LOWEST) == a


@given(LABELS, LABELS)
def test_a_join_is_the_least_label_that_is_as_strict_as_both(a: Label, b: Label) -> None:
    joined = a.join(b)
    for one in (a, b):
        assert one.within(joined)
        assert one.jurisdictions <= joined.jurisdictions
    assert joined.official in (a.official, b.official)
    assert joined.cloud in (a.cloud, b.cloud)
    assert joined.personal in (a.personal, b.personal)
    assert joined.jurisdictions == a.jurisdictions | b.jurisdictions


@given(LABELS, LABELS, LABELS)
def test_who_may_see_a_join_may_see_its_parts(a: Label, b: Label, clearance: Label) -> None:
    assert a.join(b).within(clearance) == (a.within(clearance) and b.within(clearance))


@given(LABELS, LABELS)
def test_axes_never_mix(a: Label, b: Label) -> None:
    """A label that is higher on one axis alone does not become higher on another by joining."""
    only_official = Label(official=b.official)
    joined = a.join(only_official)
    assert (joined.cloud, joined.personal, joined.jurisdictions) == (a.cloud, a.personal, a.jurisdictions)


@given(LABELS, st.sampled_from(PersonalKind))
def test_finding_personal_data_only_raises(a: Label, kind: PersonalKind) -> None:
    raised = a.with_personal(kind)
    assert raised.personal == max(a.personal, kind)
    assert a.within(raised)


@given(LABELS)
def test_text_and_json_bring_a_label_back(a: Label) -> None:
    assert parse_label(str(a)) == a
    assert label_from(a.to_json()) == a
    assert a.within(HIGHEST)


@given(st.text(max_size=40))
def test_any_text_is_a_label_or_is_refused(text: str) -> None:
    with contextlib.suppress(BadRequest):
        label = parse_label(text)
        assert parse_label(str(label)) == label


@pytest.mark.parametrize(
    "text", ["purple", "terhad/purple", "terhad/internal/none/Malaysia", "a/b/c/d/e", "", "/"]
)
def test_a_word_that_is_no_level_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        parse_label(text)
