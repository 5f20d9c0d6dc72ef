"""The wheel as `pip install .` brings it: with what its metadata asks for, and nothing more."""

import os
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
SWEEP = ROOT / "sweeps" / "demo.yaml"
PARTS = ("apollo_core", "orchestrator", "analysis")
ABSENT = ("torch", "transformers", "ray", "mlflow", "decord", "av", "einops", "jaxtyping")


def wheel(folder: Path) -> Path:
    """The project's wheel, made of a copy: setuptools leaves folders behind where it builds."""
    source = folder / "source"
    source.mkdir()
    for part in PARTS:
        left_out = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / part, source / part, ignore=left_out)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    make = f"from setuptools.build_meta import build_wheel; build_wheel({str(folder)!r})"
    subprocess.run([sys.executable, "-c", make], cwd=source, check=True, stdout=subprocess.DEVNULL)
    (made,) = folder.glob("*.whl")
    return made


def needed(found: set[str], requirements: list[str]) -> set[str]:
    """Names of all distributions that these ask for without extras, and what those ask for."""
    for text in requirements:
        asked = Requirement(text)
        extras = asked.extras or {""}
        if asked.marker and not any(asked.marker.evaluate({"extra": each}) for each in extras):
            continue
        if asked.name not in found:
            found.add(asked.name)
            needed(found, metadata.requires(asked.name) or [])
    return found


def link(name: str, packages: Path) -> None:
    """Make a distribution that is installed here importable there."""
    told = metadata.distribution(name)
    for top in {file.parts[0] for file in told.files or () if file.parts[0] != ".."}:
        place = packages / top
        if top != "__pycache__" and not place.exists():
            place.symlink_to(Path(str(told.locate_file(top))))


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Runs a program of an environment that has the plain wheel; returns what became of it."""
    folder = tmp_path_factory.mktemp("plain")
    environment = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    made = wheel(folder)
    # pip installs into any interpreter, and takes nothing but the wheel.
    pip = [sys.executable, "-m", "pip", "--python", str(environment / "bin" / "python")]
    quiet = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
    subprocess.run([*pip, "install", *quiet, str(made)], check=True)
    (packages,) = (environment / "lib").glob("python*/site-packages")
    (told,) = packages.glob("apollo_sweeps-*.dist-info")
    asked = metadata.PathDistribution(told).requires or []
    for name in needed(set(), asked):
        link(name, packages)

    def call(program, *words):
        command = [str(environment / "bin" / program), *map(str, words)]
        kept = {"PATH": os.environ["PATH"], "HOME": str(folder), "MPLCONFIGDIR": str(folder)}
        return subprocess.run(command, capture_output=True, text=True, cwd=folder, env=kept)

    return call


@pytest.mark.slow
def test_the_plain_wheel_plans_explains_and_reports_without_what_trains(plain, tmp_path):
    absent = "import importlib.util as u; print([n for n in {} if u.find_spec(n)])"
    assert plain("python", "-c", absent.format(ABSENT)).stdout == "[]\n"
    table = tmp_path / "scores.csv"
    rows = [
        f"{design},{scale},{size},bench/video/overall,{0.4 + 0.03 * rank + size / 10}"
        for rank, design in enumerate(("base", "a", "b", "c", "d"))
        for scale, size in (("small", 0.5), ("large", 2.0))
    ]
    table.write_text("\n".join(["design,scale,scale_size,metric,score", *rows]))
    for words, said in (
        (("--help",), "plan"),
        (("plan", SWEEP), "18 variants"),
        (("explain", SWEEP, "base@qwen2-s#0"), "align"),
        (("status", SWEEP), "0 of 56 stages done"),
        (("schema",), '"properties"'),
        (("report", "--scores", table, "--out", tmp_path / "report"), "report.html"),
    ):
        ended = plain("apollo", *words)
        assert ended.returncode == 0, ended.stderr
        assert said in ended.stdout + ended.stderr
    assert (tmp_path / "report" / "report.html").stat().st_size > 10_000


@pytest.mark.slow
def test_the_plain_wheel_says_what_to_install_before_it_trains(plain):
    ended = plain("apollo", "run", SWEEP)
    assert ended.returncode == 2
    assert "pip install" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
