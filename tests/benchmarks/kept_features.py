"""What keeping frozen encoders' features saves: stages of a sweep, online, cold and warm in turns.

    python tests/benchmarks/kept_features.py [SWEEP] [--rounds N] [--variant ID] [--store DIR]

The stages of one replicate are run in a store of their own (or in the one given), so that those
before a stage are there. Then each of its stages with frozen encoders is run again and again, in
turns: without features (`online`), with an empty folder of features (`cold`), and with what that
has left (`warm`). Decoded frames are kept in memory meanwhile, as in a warm worker, so that
`online` decodes nothing. The medians are compared, and the files that the three ways leave must be
equal to the byte.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from one_variant import RunVariant, run_variant, variant_parser

from apollo_core.features.feature_cache import FeatureCache
from orchestrator.plan.plan import StageNode

WAYS = ("online", "cold", "warm")


def main() -> None:
    """Run and print."""
    parser = variant_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with run_variant(asked) as variant:
        print(f"{variant.id}; seconds, median of {asked.rounds}")
        print(f"{'stage':<12}{''.join(f'{way:>9}' for way in WAYS)}   online / warm  hits")
        for node in variant.nodes:
            if node.key in variant.uses:
                _compare(node, variant, rounds=asked.rounds)


def _compare(node: StageNode, variant: RunVariant, *, rounds: int) -> None:
    use = variant.uses[node.key]
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    left: set[str] = set()
    hits = 0.0
    _run(node, None, variant)  # imports, decoded frames
    for _ in range(rounds):
        shutil.rmtree(use.folder, ignore_errors=True)
        for way in WAYS:
            cache = None if way == "online" else FeatureCache(use)
            began = time.perf_counter()
            left.add(_run(node, cache, variant))
            seconds[way].append(time.perf_counter() - began)
            if cache is not None:
                hits = cache.hits / (cache.hits + cache.misses)
    assert len(left) == 1, f"{node.label}: what a stage leaves depends on kept features"
    found = {way: median(times) for way, times in seconds.items()}
    columns = "".join(f"{found[way]:>9.2f}" for way in WAYS)
    ratio = found["online"] / found["warm"]
    print(f"{node.label:<12}{columns}   {ratio:>13.2f}  {hits:.0%}", flush=True)


def _run(node: StageNode, cache: FeatureCache | None, variant: RunVariant) -> str:
    """Run a stage; a digest of the files that it leaves."""
    with tempfile.TemporaryDirectory() as folder:
        variant.again(node, Path(folder), features=cache, report=_unheard)
        digest = hashlib.sha256()
        for path in sorted(Path(folder).iterdir()):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
        return digest.hexdigest()


def _unheard(_: Mapping[str, object]) -> None:
    """Nobody watches."""


if __name__ == "__main__":
    main()
