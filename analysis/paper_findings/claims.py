"""What the Apollo paper (arXiv 2412.10360) found, as contrasts for other studies.

Every figure is printed in the paper or is the difference of two printed ones; the paper gives no
seeds and no intervals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["below", "above"]


@dataclass(frozen=True)
class Contrast:
    """One level of an axis against the base.

    Attributes:
        study: folder of the study that has it.
        axis: of the study.
        level: of the axis; what it stands for is in `printed`.
        direction: of the base, in the paper.
        printed: what the paper compares.
        points: the paper's difference from its base, in points of accuracy.
    """

    study: str
    axis: str
    level: str
    direction: Direction
    printed: str
    points: float


@dataclass(frozen=True)
class Claim:
    """A finding of the paper: a sentence, where it is printed, and its contrasts."""

    name: str
    says: str
    printed_in: str
    contrasts: tuple[Contrast, ...]


def _below(study: str, axis: str, *rows: tuple[str, str, float]) -> tuple[Contrast, ...]:
    return tuple(Contrast(study, axis, level, "below", what, by) for level, what, by in rows)


STUDY = "micro84"

CLAIMS = (
    Claim(
        "sampling",
        "Frames at a fixed rate beat a fixed number of frames.",
        "tables 10 and 11",
        _below(
            STUDY,
            "sampling",
            ("uniform-4", "8 frames against 2 a second", 44.2 - 55.6),
            ("uniform-8", "32 frames against 2 a second", 51.9 - 55.6),
            ("uniform-16", "64 frames against 2 a second", 55.1 - 55.6),
        ),
    ),
    Claim(
        "encoders",
        "An image and a video encoder together beat either alone, and SigLIP with InternVideo2 is "
        "the best pair.",
        "table 9",
        _below(
            STUDY,
            "encoders",
            ("siglip", "SigLIP alone", 52.7 - 57.9),
            ("internvideo2", "InternVideo2 alone", 52.0 - 57.9),
            ("vjepa-siglip", "V-JEPA with SigLIP", 55.3 - 57.9),
            ("videomae-dinov2", "VideoMAE with DINOv2", 49.6 - 57.9),
            ("languagebind-both", "LanguageBind's two", 52.1 - 57.9),
        ),
    ),
    Claim(
        "resampler",
        "A perceiver resampler beats projecting and pooling.",
        "table 1",
        _below(
            STUDY,
            "resampler",
            ("mlp-avg", "MLP and average pooling", 53.2 - 55.5),
            ("conv-avg", "2-D convolution and average pooling", 44.7 - 55.5),
        ),
    ),
    Claim(
        "integration",
        "Timestamps in text before each clip are the best way to join clips and text.",
        "table 2",
        _below(
            STUDY,
            "integration",
            ("plain", "nothing between clips", 55.5 - 56.8),
            ("separators", "learned separators", 56.7 - 56.8),
            ("timestamps-separators", "both", 56.2 - 56.8),
        ),
    ),
    Claim(
        "schedule",
        "Three stages, the encoders trained in the second on video alone, beat fewer stages; "
        "encoders trained on with the language model cost a lot.",
        "tables 3 and 12",
        _below(
            STUDY,
            "schedule",
            ("one-stage", "one stage, encoders frozen", 48.7 - 59.2),
            ("two-stage", "two stages, encoders frozen", 56.3 - 59.2),
            ("vision-in-sft", "three stages, encoders trained to the end", 44.2 - 59.2),
        ),
    ),
    Claim(
        "mixture",
        "Ten to fourteen per cent of text and a little more video than the rest is best.",
        "table 13",
        (
            *_below(
                STUDY,
                "mixture",
                ("even", "a quarter of each", 54.1 - 59.0),
                ("mostly-video", "93 % video, 7 % text", 41.8 - 59.0),
            ),
            *_below(
                "micro_mixture",
                "mixture",
                ("row-5", "7 % text, images for the rest", 53.0 - 59.0),
                ("row-12", "2 % text", 48.7 - 59.0),
                ("row-13", "no text", 47.5 - 59.0),
            ),
        ),
    ),
    Claim(
        "tokens",
        "Eight to thirty-two tokens a frame are best: fewer cost much, more give nothing.",
        "table 10",
        (
            *_below(STUDY, "sampling", ("tpf-1", "4 tokens a frame against 16", 43.2 - 55.6)),
            Contrast(
                STUDY, "sampling", "tpf-16", "above", "64 tokens a frame against 16", 56.4 - 55.6
            ),
        ),
    ),
)
