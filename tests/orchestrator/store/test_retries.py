"""What follows from a failure, by its class, and what of it is remembered."""

import pytest

from orchestrator.store import failures, retries
from orchestrator.store.failures import Failure


def chain(*names, micro_batch=None):
    """Failures of one run as a worker records them; each oom at the size that the last one left."""
    found = []
    for name in names:
        size = None
        if name == "oom":
            size = failures.largest_micro_batch(found) or micro_batch
        failure = Failure(name, "m", len(found) + 1, 0.0)
        found.append(failures.decided(failure, found, micro_batch=size))
    return found


@pytest.mark.parametrize("name", ["data", "diverged", "error"])
def test_what_would_fail_again_is_not_tried_again_until_somebody_asks(name):
    assert retries.decide(name, []) == retries.Decision("when asked")


def test_a_lost_worker_is_replaced_three_times_in_one_run_and_the_next_run_starts_anew():
    assert [each.then for each in chain(*["infra"] * 4)] == ["again"] * 3 + ["next run"]


def test_preemption_uses_no_attempt_up():
    assert {each.then for each in chain(*["preempted"] * 50)} == {"again"}
    assert chain(*["preempted"] * 5, "infra")[-1].then == "again"


def test_a_stage_that_hangs_twice_is_given_up():
    assert [each.then for each in chain("stalled", "stalled")] == ["again", "when asked"]


@pytest.mark.parametrize("name", ["disk", "damaged"])
def test_a_full_disk_and_a_damaged_parent_wait_for_the_next_run(name):
    assert retries.decide(name, []) == retries.Decision("next run")


def test_memory_halves_the_micro_batch_three_times():
    found = chain(*["oom"] * 4, micro_batch=32)
    assert [each.micro_batch for each in found] == [32, 16, 8, 4]
    assert [each.next_micro_batch for each in found] == [16, 8, 4, None]
    assert [each.then for each in found] == ["again"] * 3 + ["when asked"]
    assert "micro_batch 4" in found[-1].message
    assert "activation_checkpointing" in found[-1].message


def test_one_sample_that_is_too_large_ends_the_stage():
    (found,) = chain("oom", micro_batch=1)
    assert found.then == "when asked"
    assert "--retry-failed" in found.message


def test_an_odd_micro_batch_is_halved_downwards():
    assert retries.decide("oom", [], micro_batch=3) == retries.Decision("again", 1)


def test_the_size_that_failed_is_remembered_until_the_stage_is_given_up():
    assert failures.largest_micro_batch([]) is None
    assert failures.largest_micro_batch(chain("oom", "infra", micro_batch=8)) == 4
    assert failures.largest_micro_batch(chain("oom", "oom", micro_batch=8)) == 2
    assert failures.largest_micro_batch(chain("oom", "oom", micro_batch=2)) is None


def test_each_class_has_its_own_count():
    found = chain("infra", "infra", "infra", "stalled", "oom", micro_batch=8)
    assert {each.then for each in found} == {"again"}


def test_what_was_decided_is_read_back(tmp_path):
    written = chain("oom", "infra", "diverged", micro_batch=8)
    for failure in written:
        failures.record(tmp_path, failure)
    assert failures.recorded(tmp_path) == written


def test_a_failure_recorded_before_decisions_were_follows_its_class(tmp_path):
    rows = '{"attempt": 1, "class": "infra", "message": "m", "time": 1.0}\n'
    (tmp_path / "failures.jsonl").write_text(rows)
    assert failures.stays_failed(failures.recorded(tmp_path), retry_failed=False) is None
    (tmp_path / "failures.jsonl").write_text(rows.replace("infra", "oom"))
    assert failures.stays_failed(failures.recorded(tmp_path), retry_failed=False)


def test_a_line_that_a_full_disk_cut_short_swallows_none_after_it(tmp_path):
    (whole,) = chain("diverged")
    failures.record(tmp_path, whole)
    with (tmp_path / "failures.jsonl").open("a") as file:
        file.write('{"class": "infr')
    failures.record(tmp_path, whole)
    assert failures.recorded(tmp_path) == [whole, whole]


def test_a_class_that_this_version_does_not_know_is_treated_as_an_error():
    assert retries.rule_of("from the future") == retries.RULES["error"]
