"""A training stage of a schedule: align, vision, sft, or any other."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import numpy as np

from apollo_core.feeding import Fed, Feeder
from apollo_core.manifest import Sample, read_manifest
from apollo_core.mixture import draw
from apollo_core.stages.assembly import assemble, modules_of, save_trained
from apollo_core.stages.context import StageContext
from apollo_core.stages.device import micro_batch, settle
from apollo_core.stages.frames import media_readers
from apollo_core.stages.identity import DataShare, TrainIdentity
from apollo_core.stages.recipes import training_recipe
from apollo_core.streams import torch_stream
from apollo_core.training import train


def run_train(identity: TrainIdentity, context: StageContext) -> None:
    """Train, and leave a checkpoint of what was trained and a record of what was fed.

    Raises:
        StageFailed: data that cannot be used, a loss that is not finite, a lease that was lost.
    """
    device = settle(context.execution)
    model, tokenizer = assemble(identity.model, identity.seed, context)
    model.to(device)
    shares = [_samples(share, context) for share in identity.data]
    order = draw(
        [share.share for share in identity.data],
        [len(samples) for samples in shares],
        samples=identity.samples,
        seed=identity.seed,
        names=[" ".join(share.sets) for share in identity.data],
    )
    design = identity.model
    with media_readers(
        context,
        identity.sampling,
        design.integration,
        size=model.input_size,
        memory=design.memory,
    ) as readers:
        feeder = Feeder(
            shares,
            order,
            readers=readers,
            tokenizer=tokenizer,
            tokens_per_clip=model.connector.tokens_per_clip,
            bad_media=identity.bad_media,
            longest=model.longest,
        )
        feeder.rehearse()
        size = micro_batch(context.execution, identity.batch_size, device)
        with (
            # Closed before the decoders: a stage that fails must not go on reading.
            closing(feeder.batches(identity.batch_size, size)) as batches,
            torch_stream(identity.seed, "dropout"),
        ):
            train(
                modules_of(model),
                model.loss,
                batches,
                training_recipe(identity),
                device=device,
                report=context.report,
            )
    save_trained(model, identity.lr.trained(), context.out)
    (context.out / "fed.json").write_text(
        json.dumps(_record(feeder.fed, context.media_root), indent=2) + "\n"
    )


def _samples(share: DataShare, context: StageContext) -> list[Sample]:
    return [
        sample
        for fingerprint in share.sets
        for sample in read_manifest(context.locations[fingerprint])
    ]


def _record(fed: Fed, root: Path) -> dict[str, object]:
    """Realised shares, and the sampling that videos really had: an fps arm must not turn uniform
    unseen."""
    total = max(1, sum(fed.samples))
    rates = np.asarray(fed.rates or [0.0])
    return {
        "samples": fed.samples,
        "shares": [round(100 * count / total, 3) for count in fed.samples],
        "realised_fps": {
            "least": float(rates.min()),
            "median": float(np.median(rates)),
            "most": float(rates.max()),
        },
        "skipped": fed.skips,
        # Relative, as manifests name them: a result does not say on which machine it was made.
        "skipped_media": {
            str(Path(path).relative_to(root)): reason for path, reason in fed.skipped.items()
        },
    }
