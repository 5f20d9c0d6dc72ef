"""Numbers and findings as people read them."""

import pytest

from analysis.findings.sentences import number, parameters, percent


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(0.9384, 3, "0.938"), (-0.2, 2, "−0.20"), (-0.0004, 2, "0.00"), (None, 3, "–")],
)
def test_numbers_have_a_true_minus_and_no_negative_zero(
    value: float | None, digits: int, text: str
):
    assert number(value, digits) == text


def test_sizes_are_written_in_the_unit_that_people_say():
    sizes = (7.6, 0.49, 0.045, 0.0002, 0.00005)
    assert [parameters(size) for size in sizes] == ["7.6 B", "0.49 B", "45 M", "0.2 M", "50 k"]


def test_a_share_that_is_not_defined_is_a_dash():
    assert (percent(0.904), percent(None)) == ("90 %", "–")
