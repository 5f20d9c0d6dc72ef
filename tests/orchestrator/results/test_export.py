"""`apollo export`: a folder that stands alone, and says what the variant's evaluation said."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from apollo_core.errors import ApolloError, BadInput
from apollo_core.stages.identity import EvaluateIdentity
from orchestrator.engine.local_engine import LocalEngine
from orchestrator.plan.graph import build_plan
from orchestrator.results.export import export
from orchestrator.run import RunOptions, run_sweep
from orchestrator.spec.sweep_file import load_sweep
from orchestrator.store.known_sweep import known_sweep
from orchestrator.store.store import Store
from orchestrator.watching.progress import make_progress

README = Path(__file__).parents[3] / "README.md"
ID, OTHER = "base@xs#0", "integration=plain@xs#0"
SWEEP = """
name: tiny
base:
  encoders: [siglip, videomae]
  sampling: {mode: fps, fps: 2, frames_per_clip: 4, max_clips: 2}
  resampler: {kind: perceiver, tokens_per_frame: 1, heads: 2, kv_heads: 1, head_dim: 8}
  integration: timestamps-separators
  schedule: short
  mixture: {text: 0, image: 0, multi_image: 0, video: 100}
axes:
  integration:
    plain: {integration: plain}
models:
  siglip: {source: "micro:siglip"}
  videomae: {source: "micro:videomae"}
scales:
  xs: {llm: "micro:qwen2-xs", size: 0.000037}
schedules:
  short:
    - {stage: align, lr: {connector: 1.0e-3}, data: captions, samples: 16, batch_size: 8}
    - {stage: sft, lr: {connector: 1.0e-3, llm: 1.0e-3, vision: 1.0e-4}, data: captions,
       samples: 16, batch_size: 8}
data:
  microworld: {train_videos: 4, bench_videos: 2, images: 2, multi_images: 0, texts: 2,
               corpus: 64, max_seconds: 4}
  sets:
    captions: {manifest: captions.jsonl, modality: video}
    corpus: {manifest: corpus.jsonl, modality: text}
    pictures: {manifest: image_captions.jsonl, modality: image}
  mixture: {video: [captions]}
  pretraining: {text: corpus, image: pictures, video: captions, samples: 16}
evaluation:
  - {benchmark: words, manifest: bench.jsonl, scoring: options,
     regimes: [video, center_frame, text]}
  - {benchmark: letters, manifest: bench.jsonl, regimes: [video], scoring: letters, rotations: 2}
  - {benchmark: written, manifest: bench.jsonl, regimes: [video], scoring: generate}
execution: {workers: 0}
"""

# What a user would write: it knows the folder, the videos and the questions, and no store.
JUDGE = """
import json, sys
from itertools import groupby
from pathlib import Path
import torch
from apollo_core.media.manifest import read_benchmark
torch.set_num_threads(1)
for row in map(json.loads, sys.stdin):
    items = sorted(read_benchmark(row["manifest"]), key=lambda item: item.video)
    groups = [(video, list(each)) for video, each in groupby(items, key=lambda item: item.video)]
    if row["regime"] == "text":
        groups = [(None, read_benchmark(row["manifest"]))]
    for video, asked in groups:
        how = {name: row[name] for name in ("regime", "scoring", "prompt", "rotations")}
        path = video and Path(row["root"]) / video
        for item, answer in zip(asked, model.judge(processor, asked, path, **how)):
            print(json.dumps([row["name"], row["regime"], item.id, answer.choice,
                              answer.log_likelihoods, answer.generated]))
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """The sweep's file and a store in which one of its two variants is finished."""
    folder = tmp_path_factory.mktemp("swept")
    path = folder / "tiny.yaml"
    path.write_text(SWEEP)
    store = Store(folder / "store")
    run_sweep(
        build_plan(load_sweep(path), store=store.root),
        store,
        source=SWEEP,
        engine=LocalEngine(),
        options=RunOptions(only=(ID,)),
        progress=make_progress(),
        on_start=lambda record, missing: None,
    )
    return path, store


def exported(swept, folder, identifier=ID):
    path, store = swept
    return export(known_sweep(path, store), identifier, folder, store, sweep=path, shard=200_000)


@pytest.fixture(scope="module")
def folder(swept, tmp_path_factory):
    return exported(swept, tmp_path_factory.mktemp("at") / "exported")


def python(code, cwd, **options):
    """A fresh process without a network, which knows neither store nor sweep."""
    return subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", code],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(README.parent)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
        **options,
    )


def evaluations(swept):
    """What each evaluation asked, as `judge` takes it; and what it found, by item."""
    path, store = swept
    plan = build_plan(load_sweep(path), store=store.root)
    asked, found = [], {}
    for name, key in plan.variant(ID).evaluations.items():
        node = plan.stages[key]
        assert isinstance(node.identity, EvaluateIdentity)
        for regime in node.identity.regimes:
            how = node.identity.model_dump(include={"scoring", "prompt", "rotations"})
            manifest = node.locations[node.identity.benchmark]
            asked.append(
                {"name": name, "regime": regime, "manifest": manifest,
                 "root": str(plan.media_root), **how}
            )  # fmt: skip
        for line in (store.result(key) / "items.jsonl").read_text().splitlines():
            row = json.loads(line)
            found[name, row["regime"], row["item"]] = row
    return asked, found


@pytest.mark.slow
def test_the_readmes_lines_load_it_and_it_answers_as_the_stages_evaluation_did(
    swept, folder, tmp_path
):
    block = re.search(r"```python\n(import apollo_core.*?)```", README.read_text(), re.DOTALL)
    assert block is not None
    asked, found = evaluations(swept)
    root = Path(asked[0]["root"])
    shutil.copytree(folder, tmp_path / "exported")
    shutil.copy(next(root.rglob("*.mp4")), tmp_path / "video.mp4")
    ran = python(block[1] + JUDGE, tmp_path, input="\n".join(json.dumps(each) for each in asked))
    assert ran.returncode == 0, ran.stderr
    *_, said = (line for line in ran.stdout.splitlines() if not line.startswith("["))
    assert isinstance(said, str)
    rows = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("[")]
    assert {(name, regime, item) for name, regime, item, *_ in rows} == set(found)
    for name, regime, item, choice, likelihoods, generated in rows:
        row = found[name, regime, item]
        assert row["choice"] == ("" if choice is None else "ABCDEFGH"[choice])
        assert row.get("generated", []) == generated
        assert row.get("log_likelihoods", []) == pytest.approx(likelihoods, abs=2e-6)


@pytest.mark.slow
def test_it_is_found_whichever_of_the_two_packages_comes_first(folder):
    ran = python(
        "import sys, apollo_core\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)\n"
        "del sys.modules['apollo_core'], sys.modules['apollo_core.exported.announcing']\n"
        "sys.meta_path[:] = [f for f in sys.meta_path if 'apollo' not in type(f).__module__]\n"
        "from transformers import AutoProcessor\n"
        "import apollo_core\n"
        f"print(type(AutoProcessor.from_pretrained({str(folder)!r})).__name__)",
        folder,
    )
    assert ran.stdout == "ApolloProcessor\n", ran.stderr


@pytest.mark.slow
def test_its_files_are_safe_sharded_and_of_no_place_on_this_machine(swept, folder):
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "generation_config.json", "tokenizer.json", "README.md"} <= names
    assert {"chat_template.jinja", "processor_config.json"} <= names
    assert {"model.safetensors.index.json"} <= names  # more than one file of 200 kB
    assert not [name for name in names if name.endswith((".py", ".bin", ".pt", ".pkl"))]
    texts = [path.read_text() for path in folder.iterdir() if path.suffix in (".json", ".md")]
    assert not [text for text in texts if str(swept[1].root.parent) in text or "auto_map" in text]


@pytest.mark.slow
def test_its_card_has_every_score_the_recipe_and_the_keys(swept, folder):
    path, store = swept
    card = (folder / "README.md").read_text()
    record = known_sweep(path, store)
    variant = next(each for each in record.variants if each.id == ID)
    for metric in ("words/video/overall", "words/text/overall", "letters/video/overall"):
        assert f"`{metric}`" in card
    for key in variant.stages:
        assert f"`{key}`" in card
    assert '"integration": "timestamps-separators"' in card
    assert "\nlicense: other\n" in card


@pytest.mark.slow
def test_an_unknown_variant_is_refused_with_the_nearest_name(swept, tmp_path):
    with pytest.raises(BadInput, match=r"unknown variant 'base@sx#0'.*Did you mean 'base@xs#0'"):
        exported(swept, tmp_path / "out", "base@sx#0")


@pytest.mark.slow
def test_an_unfinished_variant_is_refused_with_what_is_missing_and_the_command(swept, tmp_path):
    with pytest.raises(BadInput, match=r"not finished") as refused:
        exported(swept, tmp_path / "out", OTHER)
    assert "  align (waiting)" in str(refused.value)
    assert "  evaluate letters (waiting)" in str(refused.value)
    assert f"apollo run {swept[0]} --only '{OTHER}'" in str(refused.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_folder_that_is_not_empty_is_left_alone(swept, folder):
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    with pytest.raises(BadInput, match="is not empty"):
        exported(swept, folder)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    with pytest.raises(BadInput, match="is a file"):
        exported(swept, folder / "README.md")
    with pytest.raises(BadInput, match="cannot be written"):
        exported(swept, folder / "README.md" / "below")


@pytest.mark.slow
def test_a_full_disk_leaves_one_message_and_no_half_a_folder(swept, tmp_path):
    path, store = swept
    code = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (90_000, 90_000))\n"
        f"sys.argv[1:] = {['export', str(path), ID, 'out', '--store', str(store.root)]!r}\n"
        "from orchestrator.cli import main\n"
        "main()"
    )
    ran = python(code, tmp_path)
    assert ran.returncode == 1, ran.stderr
    assert ran.stdout == ""
    assert "nothing was exported" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_damaged_results_are_not_exported(swept, tmp_path):
    path, store = swept
    copied = Store(tmp_path / "store")
    shutil.copytree(store.root, copied.root)
    record = known_sweep(path, copied)
    variant = next(each for each in record.variants if each.id == ID)
    trained = [key for key in variant.stages if record.stages[key].kind == "train"]
    weights = copied.stage_folder(trained[0]) / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(ApolloError, match="results are damaged"):
        exported((path, copied), tmp_path / "out")
