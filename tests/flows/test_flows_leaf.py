"""The fast encoder of the chat flow writes the very bytes of RFC 8785, as core and an independent library do."""

from __future__ import annotations

import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from selat.core.canonical import canonical
from selat.flows.chat.desk import canonical_leaf

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)
KEYS = st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)


@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_three_encoders_agree_to_the_byte(entry: dict[str, object]) -> None:
    assert canonical_leaf(entry) == canonical(entry) == rfc8785.dumps(entry)  # type: ignore[arg-type]
