"""What a microworld holds, and what fixes its every byte. Light: a plan reads it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveInt, model_validator

from apollo_core.frozen import Frozen

# Counts up whenever the same spec would give other bytes: it enters the data's fingerprint.
GENERATOR_VERSION = 6


def _ascending(rates: tuple[int, ...]) -> tuple[int, ...]:
    if list(rates) != sorted(set(rates)):
        raise ValueError(f"each rate once and in ascending order, not {list(rates)}")
    return rates


class WorldSpec(Frozen):
    """What a microworld holds. Larger counts add samples and leave the others as they were."""

    seed: NonNegativeInt = 0
    train_videos: NonNegativeInt = 400
    bench_videos: NonNegativeInt = 100
    images: NonNegativeInt = 200
    multi_images: NonNegativeInt = 100
    texts: NonNegativeInt = 1000
    corpus: NonNegativeInt = 4000
    pretrain_images: Annotated[
        NonNegativeInt, Field(description="of the neighbouring look, for encoders to learn from")
    ] = 0
    pretrain_videos: Annotated[
        NonNegativeInt, Field(description="likewise, of four seconds each")
    ] = 0
    size: Annotated[
        PositiveInt, Field(ge=48, le=64, multiple_of=2, description="pixels, both sides")
    ] = 48
    rates: Annotated[
        tuple[Annotated[PositiveInt, Field(ge=8, le=60)], ...],
        Field(min_length=1, description="frames per second of the files, slower ones more often"),
        AfterValidator(_ascending),
    ] = (8, 10, 12, 15, 24, 30)
    min_seconds: Annotated[float, Field(ge=4, le=16)] = 4
    max_seconds: Annotated[float, Field(ge=4, le=16)] = 16

    @model_validator(mode="after")
    def _ordered(self) -> WorldSpec:
        if self.min_seconds > self.max_seconds:
            raise ValueError(
                f"min_seconds ({self.min_seconds}) must not exceed max_seconds ({self.max_seconds})"
            )
        return self

    def fingerprint(self) -> dict[str, object]:
        """What fixes every byte: the generator, its version and all fields."""
        name = {"generator": "microworld", "version": GENERATOR_VERSION}
        return {**name, **self.model_dump(mode="json")}
