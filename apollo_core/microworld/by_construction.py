"""What the microworld forces: findings of this kind say how it was made, not how models are.

A report of a study in the microworld prints a statement beside what it found on the axis. The
readers of `probes` show each of them; docs/laboratory.md has their table. `python -m` prints all
statements as JSON.
"""

from __future__ import annotations

import json
import sys

# Axis -> what holds of every model here, whatever it learns.
BY_CONSTRUCTION: dict[str, str] = {
    "sampling": (
        "Digits that show for half a second, and whole seconds to be told apart, need two frames "
        "a second: a reader of four or eight frames spread over a film of up to sixteen seconds "
        "misses digits, and cannot tell for how many seconds one shows. At four tokens a frame "
        "the mean of a cell no longer tells one digit from another."
    ),
    "encoders": (
        "Where the camera and the moving shape go, and how fast, is in no single frame: what looks "
        "at frames one by one leaves it to the language model to compare them. Digits and shapes "
        "are of two pixels' strokes, and video encoders learn from captions of what moves alone."
    ),
    "resampler": (
        "Four shapes and a digit are on screen at once, and at four tokens a frame each lies "
        "across cells that it shares with others: an even mean over a cell blurs what attention "
        "can pick."
    ),
    "integration": (
        "Which digit shows at a given second follows from the order of frames alone while clips "
        "touch. Where the budget leaves gaps between them, or frames are spread over the film, it "
        "takes the times, and so does speed where the step between frames is not fixed."
    ),
    "schedule": (
        "Encoders are pretrained on a neighbouring look: other shades, ground, digits and grain. "
        "Whether adapting them helps is measured; nothing is forced."
    ),
    "mixture": (
        "Training videos ask of one film in four for the second digit, for the colour at a place, "
        "and for a difference in words; several images, images and text, in this order, ask for it "
        "often. A mixture without them has seen these questions less, and the benchmark asks them "
        "as often as others."
    ),
}

if __name__ == "__main__":
    sys.stdout.write(json.dumps(BY_CONSTRUCTION, indent=1) + "\n")
