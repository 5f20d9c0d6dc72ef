"""`execution.feature_cache`: room in units, words, and what is told of anything else."""

import pytest
from small_sweep import write

from apollo_core.errors import BadInput
from apollo_core.features.feature_budget import DEFAULT_BYTES
from orchestrator.spec.sweep_file import load_sweep


def budget(folder, given):
    return load_sweep(
        write(folder, {"execution": {"feature_cache": given}})
    ).execution.execution.feature_cache.budget


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"budget": "200GB"}, 200 * 10**9),
        ({"budget": "1.5 TiB"}, 3 * 2**39),
        ({"budget": "7 kb"}, 7000),
        ({"budget": "12"}, 12),
        ({"budget": 3000}, 3000),
        ({"budget": 0}, 0),
        ({}, DEFAULT_BYTES),
        ("5GB", 5 * 10**9),
        ("auto", DEFAULT_BYTES),
        ("off", 0),
    ],
)
def test_room_is_a_word_a_number_of_bytes_or_text_with_a_unit(given, expected, tmp_path):
    assert budget(tmp_path, given) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"budget": "200 sheep"}, "budget: '200 sheep' is not allowed: a size is needed"),
        ({"budget": "much"}, "units: B, kB, MB, GB"),
        ("on", "or auto, or off"),
        ({"budget": -1}, "greater than or equal to 0"),
        ({"budget": True}, "takes no truth value"),
        (True, "takes no truth value"),
        ({"budgt": "1GB"}, "Did you mean 'budget'?"),
    ],
)
def test_anything_else_is_told_with_what_is_allowed(given, message, tmp_path):
    with pytest.raises(BadInput) as told:
        budget(tmp_path, given)
    assert message in str(told.value)
    assert "feature_cache" in str(told.value)
