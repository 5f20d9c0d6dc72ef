"""How a sweep file says that a benchmark is asked."""

import pytest
from small_sweep import planned

from apollo_core.errors import BadInput
from apollo_core.stages.identity import EvaluateIdentity
from orchestrator.cost.cost import plan_flops
from orchestrator.plan.plan import stage_key


def asked(folder, **entry):
    """Key, identity and FLOPs of the evaluation whose entry is changed so."""
    plan = planned(folder, {f"evaluation/0/{name}": value for name, value in entry.items()})
    key = plan.variant("base@xs#0").evaluations["bench"]
    identity = plan.stages[key].identity
    assert isinstance(identity, EvaluateIdentity)
    return key, identity, plan_flops(plan)[key]


@pytest.mark.parametrize(
    ("scoring", "prompt"),
    [("letters", "lettered-v1"), ("generate", "lettered-v1"), ("options", "question-v1")],
)
def test_each_scoring_has_a_prompt_that_suits_it_and_both_are_in_the_key(tmp_path, scoring, prompt):
    _, identity, _ = asked(tmp_path, scoring=scoring)
    assert (identity.scoring, identity.prompt) == (scoring, prompt)
    other = "question-v1" if prompt == "lettered-v1" else "lettered-v1"
    assert asked(tmp_path, scoring=scoring, prompt=other)[1].prompt == other
    keys = {asked(tmp_path, scoring=scoring, prompt=each)[0] for each in (prompt, other)}
    assert len(keys) == 2


def test_scoring_is_named_and_never_implied(tmp_path):
    with pytest.raises(BadInput, match=r"evaluation\.0\.scoring: required"):
        planned(tmp_path, {"evaluation/0/scoring": None})


def test_one_order_of_the_options_is_the_key_that_was_before_there_were_orders(tmp_path):
    key, identity, _ = asked(tmp_path, scoring="letters")
    assert identity.rotations == 1
    assert asked(tmp_path, scoring="letters", rotations=1)[0] == key
    assert asked(tmp_path, scoring="letters", rotations=2)[0] != key
    parents = {"previous": "0" * 64}
    assert stage_key(identity, parents) == stage_key(
        EvaluateIdentity.model_validate(identity.model_dump(exclude={"rotations"})), parents
    )


def test_more_orders_cost_more_up_to_the_options_there_are(tmp_path):
    costs = [asked(tmp_path, scoring="letters", rotations=count)[2] for count in (1, 2, 4, 26)]
    assert costs[0] < costs[1] < costs[2] == costs[3]
    assert costs[1] < 2 * costs[0]  # the video is not seen again


@pytest.mark.parametrize("rotations", [0, 27])
def test_orders_are_between_one_and_as_many_as_there_are_letters(tmp_path, rotations):
    with pytest.raises(BadInput, match=r"evaluation\.0\.rotations"):
        asked(tmp_path, scoring="letters", rotations=rotations)


def test_orders_of_options_that_the_prompt_does_not_list_are_refused(tmp_path):
    with pytest.raises(BadInput, match="lists no options"):
        asked(tmp_path, scoring="options", rotations=2)
    assert asked(tmp_path, scoring="options", prompt="lettered-v1", rotations=2)[1].rotations == 2
