"""An option that is a flag alone and takes names where they follow."""

import pytest

from orchestrator.commands.optional_names import with_value


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("--scores t --lower-is-better loss,ppl", "--scores t --lower-is-better=loss,ppl"),
        ("--lower-is-better --scores=t", "--lower-is-better= --scores=t"),
        ("--lower-is-better x.yaml --out o", "--lower-is-better= x.yaml --out o"),
        ("x.yaml --lower-is-better=loss", "x.yaml --lower-is-better=loss"),
        ("x.yaml --out o", "x.yaml --out o"),
    ],
)
def test_names_behind_the_option_are_taken_only_where_no_sweep_can_stand(given: str, written: str):
    assert with_value(given.split()) == written.split()
