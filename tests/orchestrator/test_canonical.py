import enum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.canonical import canonical, digest

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


class Colour(enum.StrEnum):
    RED = "red"


def test_the_text_is_fixed():
    value = {"b": [1, 2.0, 3e-05], "a": {"é": None, "t": True}}
    assert canonical(value) == '{"a":{"t":true,"\\u00e9":null},"b":[1,2.0,3e-05]}'


@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_the_order_of_keys_does_not_matter(value):
    assert digest(value) == digest(dict(reversed(value.items())))


def test_a_tuple_is_a_list_and_minus_zero_is_zero():
    assert canonical((1, -0.0)) == canonical([1, 0.0]) == "[1,0.0]"


@pytest.mark.parametrize(
    "value", [{1, 2}, b"x", object(), np.float64(1.0), Colour.RED, {1: "x"}, {"a": [print]}]
)
def test_a_type_without_one_text_is_refused(value):
    with pytest.raises(TypeError):
        canonical(value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_without_a_text_is_refused(value):
    with pytest.raises(ValueError, match="no canonical form"):
        canonical(value)
