"""What the two looks show alike, and what tells the moving shape from the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from apollo_core.microworld.chance import Split
from apollo_core.microworld.drawing import draw_film, draw_still
from apollo_core.microworld.film import plan_film
from apollo_core.microworld.looks import NEIGHBOURING, OWN, Look
from apollo_core.microworld.motion import visible_shares
from apollo_core.microworld.spec import WorldSpec
from apollo_core.microworld.still import plan_still


@pytest.mark.parametrize("look", [OWN, NEIGHBOURING])
def test_the_shape_that_moves_alone_has_a_rim_of_its_own_colour(look: Look) -> None:
    look = replace(look, grain=0.0)
    film = replace(plan_film(WorldSpec(), Split.TRAIN, 3)[0], flashes=())
    rimmed = (draw_film(film, 48, look) == look.rim).all(-1).any((1, 2))
    moments = np.arange(film.frames) / film.fps
    seen = visible_shares(film.mover, film.stayers, moments) > 0.2
    assert rimmed[seen].all()
    still = replace(plan_still(0, Split.IMAGES, 0), digit=None)
    assert not (draw_still(still, 48, look) == look.rim).all(-1).any()
