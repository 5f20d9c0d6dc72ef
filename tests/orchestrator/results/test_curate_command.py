"""`apollo curate --questions`: the small benchmark as one that a sweep can ask."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from apollo_core.media.manifest import read_benchmark
from orchestrator.cli import main

ITEMS, MODELS = 24, 6


@pytest.fixture
def curate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    few = ("--splits", "2", "--draws", "1", "--costs", "2", "--cheaper", "4")

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["apollo", "curate", *map(str, words), *few])
        with pytest.raises(SystemExit) as stopped:
            main()
        told = capsys.readouterr()
        return int(stopped.value.code or 0), told.out, told.err

    return run


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Answers to a benchmark in the style of ApolloBench, beside it as `bench.json`."""
    rows = [
        {"id": f"q{i}", "video": f"v{i // 2}.mp4", "question": f"\u00bf{i}?",
         "category": "ab"[i % 2], "options": ["A. red", "B. blue"], "answer": "AB"[i % 2]}
        for i in range(ITEMS)
    ]  # fmt: skip
    (tmp_path / "bench.json").write_text(json.dumps(rows))
    lines = ["design,scale,seed,benchmark,regime,video,item,category,correct,n_options"]
    lines += [
        f"m{m},s,0,bench,video,v{i // 2}.mp4,q{i},{'ab'[i % 2]},{int((i * 7) % 10 > m)},2"
        for m in range(MODELS)
        for i in range(ITEMS)
    ]
    path = tmp_path / "items.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_curated_benchmark_is_a_manifest_of_the_chosen_questions(table, curate, tmp_path):
    bench, out = tmp_path / "bench.json", tmp_path / "small"
    code, told, err = curate("--responses", table, "--questions", bench, "--out", out)
    assert (code, "Traceback" in err) == (0, False)
    chosen = json.loads((out / "benchmark.json").read_text())
    written = out / f"questions-{chosen['version']}.jsonl"
    assert str(written) in told
    asked = {f"{item.video}/{item.id}": item for item in read_benchmark(bench, "apollo_bench")}
    assert read_benchmark(written) == tuple(asked[name] for name in chosen["items"])


def test_chosen_items_that_the_questions_lack_are_named_and_nothing_is_written(
    table, curate, tmp_path
):
    rows = json.loads((tmp_path / "bench.json").read_text())
    other = tmp_path / "other.json"
    other.write_text(json.dumps([row | {"id": f"other {row['id']}"} for row in rows]))
    out = tmp_path / "small"
    code, _, err = curate("--responses", table, "--questions", other, "--out", out)
    assert code == 2
    assert "of the 6 chosen items are not in" in err
    assert not out.exists()
