"""Item tables with a known truth, for audits: what the video adds, and what is wrong with them."""

# pandas annotates what it returns as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false, reportCallIssue=false, reportGeneralTypeIssues=false, reportOperatorIssue=false, reportReturnType=false

from collections.abc import Mapping

import numpy as np
import pandas as pd

# How much each regime shows of what there is to know, added to a model's ability.
SEES: Mapping[str, float] = {"video": 1.2, "center_frame": 0.5, "text": -0.5}
BLIND: Mapping[str, float] = {"video": 1.0, "center_frame": 1.0, "text": 1.0}
CATEGORIES = ("count", "motion", "ocr")


def answers(
    rng: np.random.Generator,
    *,
    benchmark: str = "bench",
    ability: np.ndarray | None = None,
    sees: Mapping[str, float] = SEES,
    videos: int = 40,
    per_video: int = 3,
    options: int = 4,
    key: np.ndarray | None = None,
    guessing: bool = False,
) -> pd.DataFrame:
    """Answers of every model to every item: right by logistic ability less difficulty, or chance.

    A video's items share half of their difficulty. Wrong answers are spread over all wrong letters;
    `key` gives the probabilities of the right letter. With `guessing` nobody knows anything.
    """
    ability = rng.normal(size=8) if ability is None else ability
    n, m = videos * per_video, len(ability)
    video = np.repeat(np.arange(videos), per_video)
    hard = rng.normal(size=videos)[video] + rng.normal(size=n)
    right_letter = rng.choice(options, size=n, p=key)
    frames = []
    for regime, plus in sees.items():
        known = 1 / (1 + np.exp(-(ability[:, None] + plus - hard)))
        share = 1 / options + (0.0 if guessing else (1 - 1 / options) * known)
        right = rng.random((m, n)) < share
        chosen = (right_letter + rng.integers(1, options, size=(m, n))) % options
        chosen = np.where(right, right_letter, chosen)
        frames.append(
            pd.DataFrame(
                {
                    "design": np.repeat([f"m{i:02d}" for i in range(m)], n),
                    "benchmark": benchmark,
                    "regime": regime,
                    "video": np.tile([f"v{i}" for i in video], m),
                    "item": np.tile(np.arange(n).astype(str), m),
                    "category": np.tile(np.array(CATEGORIES)[np.arange(n) % 3], m),
                    "duration_group": np.tile(np.array(["long", "short"])[video % 2], m),
                    "choice": np.array(list("ABCDEFGH"))[chosen.ravel()],
                    "answer": np.tile(np.array(list("ABCDEFGH"))[right_letter], m),
                    "correct": right.ravel().astype(int),
                    "n_options": options,
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def copied(table: pd.DataFrame, model: str, to: str, source: str = "video") -> pd.DataFrame:
    """Give a model's answers of one regime in another one too."""
    own = table["design"] == model
    taken = table[own & (table["regime"] == source)].assign(regime=to)
    return pd.concat([table[~(own & (table["regime"] == to))], taken], ignore_index=True)
