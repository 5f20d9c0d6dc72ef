"""`lmms_eval --model apollo --model_args path=DIR`: the class that lmms-eval makes.

The only module that imports lmms-eval, which is never in the project's own environment: it needs
torchvision. lmms-eval finds it by the entry point of `apollo_core.exported.lmms_eval_plugin`.
"""

from __future__ import annotations

import os
from typing import Any

import torch
from lmms_eval.api import instance  # pyright: ignore[reportMissingImports]
from lmms_eval.api.model import lmms  # pyright: ignore[reportMissingImports]

from apollo_core.errors import BadInput
from apollo_core.exported.apollo_model import ApolloForConditionalGeneration
from apollo_core.exported.apollo_processor import ApolloProcessor
from apollo_core.exported.lmms_eval_requests import VariantUnderTest
from apollo_core.media.decoding import Decoder


class Apollo(lmms):  # pyright: ignore[reportUntypedBaseClass]
    """An exported variant.

    Args:
        path: the exported folder.
        device: `cuda`, `cuda:1`, `cpu`; one of several processes takes the GPU of its own number.
        batch_size: rows in one forward; lmms-eval's own option.
        sampling: fields of the folder's sampling to change, as `fps=1` or `max_clips=8`.

    Raises:
        BadInput: another option.
    """

    is_simple = True

    def __init__(
        self,
        path: str,
        device: str | None = None,
        batch_size: int | str = 16,
        max_batch_size: int | None = None,
        **sampling: Any,
    ) -> None:
        super().__init__()
        self._rank = int(os.environ.get("RANK", 0))
        self._world_size = int(os.environ.get("WORLD_SIZE", 1))
        self._device = _device(device)
        model = ApolloForConditionalGeneration.from_pretrained(path).to(self._device).eval()
        processor = ApolloProcessor.from_pretrained(path)
        _change(processor, sampling)
        size = int(batch_size) if str(batch_size).isdigit() else 16
        # The decoder's process ends with this one: its stdin does.
        decoder = Decoder(decoder=processor.decoder)
        self._variant = VariantUnderTest(model, processor, decoder, size)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self._device

    def loglikelihood(self, requests: list[Any]) -> list[Any]:
        """The mean loss of each continuation, whose smallest wins; whether it is the greedy one."""
        found = self._variant.losses(requests, self.task_dict)
        return found if _keeps_pairs() else [instance.GenerationResult(text=pair) for pair in found]

    def generate_until(self, requests: list[Any]) -> list[str]:
        """What is written to each request, up to its stop words."""
        return self._variant.written(requests, self.task_dict)

    def generate_until_multi_round(self, requests: list[Any]) -> list[str]:
        """Refused: a variant is asked one question at a time."""
        raise BadInput("apollo: tasks of several rounds are not built; leave them out of --tasks")


def _keeps_pairs() -> bool:
    """Whether a pair of loss and greediness arrives as one.

    lmms-eval 0.7.3 takes every reply for a text, and makes one of a pair: its tasks with
    `output_type: multiple_choice` then fail for every model. A result of generation is unpacked.
    """
    unwrap = getattr(instance, "unwrap_generation_output", None)
    return unwrap is None or unwrap((0.5, True))[0] == (0.5, True)


def _device(asked: str | None) -> torch.device:
    local = os.environ.get("LOCAL_RANK")
    if asked in (None, "cuda") and torch.cuda.is_available():
        return torch.device("cuda", int(local or 0))
    return torch.device(asked if asked and torch.cuda.is_available() else "cpu")


def _change(processor: ApolloProcessor, sampling: dict[str, Any]) -> None:
    known = [name for name in processor.sampling if name != "mode"]
    for name, value in sampling.items():
        if name not in known:
            raise BadInput(
                f"model_args: unknown option {name!r}. Known: path, device, batch_size, and of the "
                f"folder's sampling {', '.join(known)}"
            )
        processor.sampling[name] = value
