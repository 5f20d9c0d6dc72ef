"""`apollo audit`: of a sweep, of item tables, and of what is neither."""

import json
from pathlib import Path

import pytest
from tiny_sweeps import run_tiny, tiny_store, write_sweep

from orchestrator.cli import main

# What the figures stand on warns of its own deprecations.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def apollo(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["apollo", "audit", *map(str, words)])
        with pytest.raises(SystemExit) as stopped:
            main()
        told = capsys.readouterr()
        return int(stopped.value.code or 0), told.out, told.err

    return run


def write_items(path: Path, model: str) -> Path:
    rows = ["llm,benchmark,regime,video,item,category,correct"]
    rows += [
        f"{model},b,{regime},v{i},i{i},ocr,{int(i % 3 > place)}"
        for place, regime in enumerate(("video", "text"))
        for i in range(9)
    ]
    path.write_text("\n".join(rows) + "\n")
    return path


def test_a_sweep_is_audited_from_its_store(tmp_path: Path, apollo):
    sweep, store = write_sweep(tmp_path), tiny_store(tmp_path)
    run_tiny(sweep, store)
    code, out, _ = apollo(sweep, "--store", store.root, "--out", tmp_path / "audit")
    assert code == 0
    assert "Audit: " in out
    document = json.loads((tmp_path / "audit" / "audit.json").read_text())
    assert document["benchmarks"] == ["bench"]
    assert document["provenance"]["sweep"]


def test_several_item_tables_with_names_of_their_own_are_one_audit(tmp_path: Path, apollo):
    one, two = (write_items(tmp_path / f"{name}.csv", name) for name in ("one", "two"))
    out = tmp_path / "audit"
    code, _, err = apollo("--items", one, two, "--design", "llm", "--out", out)
    assert (code, err) == (0, "")
    document = json.loads((out / "audit.json").read_text())
    assert document["models"] == ["one", "two"]
    (gap,) = [g for g in document["gaps"] if g["column"] == "all"]
    assert gap["gap"]["value"] == pytest.approx(100 / 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "give sweeps or rosters, or item tables with --items"),
        (("--items", "none.csv"), "no such file; give a table as CSV or Parquet"),
        (("--items", "{items}"), "no column 'design'"),
        (("--items", "{items}", "--design", "llm", "--chance", "b=2"), "between 0 and 1"),
        (("--items", "{items}", "--design", "llmm"), "no column 'llmm' in the table (--design)"),
        (("--items", "{items}", "--design", "llm", "--seed", "sed"), "no column 'sed'"),
    ],
)
def test_bad_input_exits_2_with_one_message(words, message: str, tmp_path: Path, apollo):
    items = write_items(tmp_path / "items.csv", "m")
    given = [word.format(items=items) for word in words]
    code, _, err = apollo(*given, "--out", tmp_path / "audit")
    assert code == 2
    assert message in err
    assert "Traceback" not in err
    assert not (tmp_path / "audit").exists()


def test_an_option_names_the_model_even_where_the_table_has_a_design(tmp_path: Path, apollo):
    items = write_items(tmp_path / "items.csv", "m")
    text = items.read_text().replace("llm,", "design,llm,", 1).replace("\nm,", "\nd,m,")
    items.write_text(text)
    assert apollo("--items", items, "--design", "llm", "--out", tmp_path / "audit")[0] == 0
    assert json.loads((tmp_path / "audit" / "audit.json").read_text())["models"] == ["m"]
    code, _, err = apollo("--items", items, "--design", "llmm", "--out", tmp_path / "audit")
    assert code == 2
    assert "Did you mean 'llm'?" in err
