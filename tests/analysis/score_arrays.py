"""Score arrays that Hypothesis draws, with many ties."""

import numpy as np
from hypothesis import strategies as st

from analysis.statistics.scores import Scores

# Halves on a small range: many ties, and affine maps of them stay exact in floating point.
TIED = st.integers(-20, 20).map(lambda value: value / 2)


@st.composite
def two_scales(draw: st.DrawFn) -> tuple[Scores, Scores]:
    n = draw(st.integers(2, 12))
    columns = [draw(st.lists(TIED, min_size=n, max_size=n)) for _ in range(2)]
    return np.array(columns[0]), np.array(columns[1])
