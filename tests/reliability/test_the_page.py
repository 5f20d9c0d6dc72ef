"""docs/reliability.md names a test for each fault, and every one of them exists."""

import re
from pathlib import Path

from orchestrator.store.retries import RULES

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """Cells of the first table below a heading, its head left out."""
    below = PAGE.split(f"## {heading}", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in below.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_fault_has_an_ending_and_a_test_that_exists():
    source = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    tests = set(re.findall(r"^def (test_\w+)\(", source, re.MULTILINE))
    faults = rows("Faults, how each ends, and its test")
    assert len(faults) > 15
    for fault, ending, named in faults:
        assert re.match(r"(same|close|missing)\b", ending), fault
        found = re.findall(r"`(test_\w+)`", named)
        assert found, fault
        assert set(found) <= tests, fault


def test_the_table_of_classes_says_what_the_rules_say():
    said = {name.strip("`"): (now, later) for name, _, now, later in rows("Classes of failure")}
    assert said.keys() == RULES.keys()
    for name, rule in RULES.items():
        now, later = said[name]
        if rule.afterwards == "when asked":
            assert later == "`--retry-failed`", name
        if rule.again:
            assert f"at most {rule.again} times" in now or (rule.again == 1 and "once" in now), name
