"""Effects from score tables: what they are paired over, and what they are not testable for."""

from pathlib import Path

import numpy as np
import pytest
from score_tables import FOUR, OPTIONS, PAPER, SEVEN, TIDY, write

from analysis.findings.axis_effects import ALL, find_effects
from analysis.findings.metric_noise import metric_noise
from analysis.table.table import ScoreTable, TableOptions, load_table


def effects_of(table: ScoreTable, metric: str):
    return {e.axis: e for e in find_effects(table, metric, metric_noise(table, metric, None))}


def seeded(seeds: int, *, shared: float = 0.0) -> str:
    """A one-factor table: three levels of one axis, two of another, at two scales."""
    rng = np.random.default_rng(0)
    true = {"base": 0.0, "a=x": 1.0, "a=y": -2.0, "a=z": 3.0, "b=u": 0.5, "b=v": -0.5}
    rows = ["design,scale,scale_size,seed,metric,score,a,b"]
    for size, scale in enumerate("sl", start=1):
        moved = rng.normal(0, shared, seeds)
        for design, effect in true.items():
            axis, _, level = design.partition("=")
            levels = [level if axis == name else "base" for name in "ab"]
            rows += [
                f"{design},{scale},{size},{k},m/video/overall,"
                f"{50 + 5 * size + effect + moved[k] + rng.normal(0, 0.1)},{levels[0]},{levels[1]}"
                for k in range(seeds)
            ]
    return "\n".join(rows) + "\n"


def test_one_run_of_a_one_factor_design_has_no_error_term(tmp_path: Path):
    text = TIDY.replace("base,s,0.1,1,b/video/overall,52,base,base\n", "")
    table = load_table(write(tmp_path, text), TableOptions())
    (fast, _) = effects_of(table, "b/video/overall")["sampling"].effects
    assert (fast.level, fast.effect, fast.n) == ("fast", 5.0, 1)
    assert fast.not_testable == "one context and neither seeds nor items"
    assert (fast.ci, fast.p_holm) == (None, None)


def test_seeds_that_designs_share_are_paired(tmp_path: Path):
    table = load_table(write(tmp_path, seeded(3, shared=5.0)), TableOptions())
    for effect in effects_of(table, "m/video/overall")["a"].effects:
        assert effect.error == ("seeds",)
        assert effect.freedom == 10  # (6 designs - 1) x (3 seeds - 1)
        assert effect.se is not None
        assert effect.se < 0.2
        assert effect.p is not None
        assert effect.p_holm is not None
        assert effect.p <= effect.p_holm < 0.01


def test_a_seed_that_only_one_of_two_designs_ran_pairs_nothing(tmp_path: Path):
    # Designs are not in the order of their names here.
    text = TIDY.replace("text,", "a-text,")
    table = load_table(write(tmp_path, text), TableOptions())
    at_s, at_l = effects_of(table, "b/video/overall")["sampling"].effects
    # Base ran 50 and 52: pooled variance 2, and 2 (1 / 1 + 1 / 2) for the difference.
    assert (at_s.effect, at_s.se) == (4.0, pytest.approx(np.sqrt(3.0)))
    assert at_l.not_testable is not None


def test_effects_of_all_axes_are_compared_together(tmp_path: Path):
    table = load_table(write(tmp_path, seeded(3)), TableOptions())
    found = effects_of(table, "m/video/overall")
    (pooled,) = found[ALL].transfers
    assert (pooled.n, pooled.noise_known, pooled.sign_agreement) == (5, True, 1.0)
    assert pooled.slope == pytest.approx(1.0, abs=0.1)
    assert found["b"].transfers[0].no_slope == "fewer than 3 effects"


def test_without_a_base_the_first_level_is_the_reference_and_contexts_give_the_error():
    table = load_table(PAPER, OPTIONS)
    found = effects_of(table, "average")
    assert found["variant"].reference == "a1"
    a7 = {e.scale: e for e in found["variant"].effects if e.level == "a7"}
    grid = table.grid("average")
    gaps = [grid.at[f"a7/{m}", SEVEN] - grid.at[f"a1/{m}", SEVEN] for m in "ABC"]
    assert a7[SEVEN].effect == pytest.approx(np.mean(gaps))
    assert a7[SEVEN].se == pytest.approx(np.std(gaps, ddof=1) / np.sqrt(3))
    assert (a7[SEVEN].n, a7[SEVEN].error) == (3, ("contexts",))
    last = [t for t in found["variant"].transfers if (t.small, t.large) == (FOUR, SEVEN)]
    assert (last[0].n, last[0].no_slope) == (6, None)
