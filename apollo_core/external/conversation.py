"""From questions about one video to an external model's inputs, by its own chat template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from apollo_core.errors import BadData
from apollo_core.external.loading import External
from apollo_core.external.whole_frames import Seen
from apollo_core.media.manifest import Item
from apollo_core.scoring.likelihood import write_prompt
from apollo_core.stages.identity import Prompt

# Of a video's metadata: fine enough to tell any two frames apart.
_CLOCK = 1000


@dataclass(frozen=True)
class Conversation:
    """One question, up to where its answer begins.

    Attributes:
        inputs: what the model's forward takes, one row; `input_ids` are `shared + own`.
        shared: tokens up to the last one that stands for something shown, and its mark.
        own: those behind it.
    """

    inputs: dict[str, Tensor]
    shared: tuple[int, ...]
    own: tuple[int, ...]


def conversations(
    external: External, items: Sequence[Item], seen: Seen | None, *, prompt: Prompt
) -> list[Conversation]:
    """Each item as the user's turn, behind what is shown.

    Frames go through the processor once: what stands behind them is tokenised alone where that
    gives the same tokens, as it does behind a special token.

    Args:
        external: the model.
        items: all about `seen`.
        seen: frames of a video; None = the question alone.
        prompt: the template of the question.

    Raises:
        BadData: the processor cannot make inputs of them.
    """
    texts = [_text(external, item, seen, prompt) for item in items]
    first = _processed(external, texts[0], seen)
    cut = _end_of_shown(external, texts[0]) if seen is not None else 0
    tail = _tokens(external, texts[0][cut:]) if cut else []
    whole = first["input_ids"][0].tolist()
    head = whole[: len(whole) - len(tail)]
    if not cut or head + tail != whole or any(text[:cut] != texts[0][:cut] for text in texts):
        every = [first, *(_processed(external, text, seen) for text in texts[1:])]
        return [Conversation(each, (), tuple(each["input_ids"][0].tolist())) for each in every]
    own = [tail, *(_tokens(external, text[cut:]) for text in texts[1:])]
    return [Conversation(_with_tail(first, head, each), tuple(head), tuple(each)) for each in own]


def _text(external: External, item: Item, seen: Seen | None, prompt: Prompt) -> str:
    asked = write_prompt(item, "", prompt)
    for mark in _marks(external):
        asked = asked.replace(mark, "")
    shown: list[dict[str, str]] = []
    if seen is not None:
        as_images = external.frames_as == "images" or seen.still[0]
        shown = [{"type": "image"}] * len(seen.frames) if as_images else [{"type": "video"}]
    turn = {"role": "user", "content": [*shown, {"type": "text", "text": asked}]}
    return external.processor.apply_chat_template(
        [turn], add_generation_prompt=True, tokenize=False
    )


def _processed(external: External, text: str, seen: Seen | None) -> dict[str, Tensor]:
    # A template that writes the token of the beginning itself must not get a second one.
    begins = external.tokenizer.bos_token
    options: dict[str, Any] = {"add_special_tokens": not (begins and text.startswith(begins))}
    if seen is not None:
        frames = list(seen.frames[:, 0])
        if external.frames_as == "images" or seen.still[0]:
            options["images"] = [frames]
        else:
            options |= {"videos": [seen.frames[:, 0]], "video_metadata": [_metadata(seen)]}
            options["do_sample_frames"] = False
    try:
        made = external.processor(text=[text], return_tensors="pt", **options)
    except (ValueError, TypeError, IndexError, KeyError, RuntimeError) as error:
        raise BadData(
            f"the model's processor refuses {'frames' if seen is not None else 'a question'}: "
            f"{type(error).__name__}: {error}"
        ) from error
    return {name: value for name, value in made.items() if isinstance(value, Tensor)}


def _metadata(seen: Seen) -> dict[str, object]:
    """When the frames are, as processors read it: by number, of a video at a thousand a second."""
    return {
        "total_num_frames": max(len(seen.times), round(seen.duration * _CLOCK)),
        "fps": float(_CLOCK),
        "duration": seen.duration,
        "frames_indices": [round(time * _CLOCK) for time in seen.times],
        "height": seen.frames.shape[2],
        "width": seen.frames.shape[3],
    }


def _marks(external: External) -> list[str]:
    """What stands for something shown: in a question it would stand for what is not."""
    names = ("image_token", "video_token")
    found = (getattr(external.processor, name, None) for name in names)
    return [mark for mark in found if isinstance(mark, str) and mark]


def _end_of_shown(external: External, text: str) -> int:
    """Characters up to behind the last mark; 0 where no mark is known."""
    return max(
        (text.rfind(mark) + len(mark) for mark in _marks(external) if mark in text), default=0
    )


def _tokens(external: External, text: str) -> list[int]:
    return external.tokenizer(text, add_special_tokens=False)["input_ids"]


def _with_tail(
    inputs: dict[str, Tensor], head: Sequence[int], tail: Sequence[int]
) -> dict[str, Tensor]:
    """The same beginning with another end, which stands for text."""
    shape = inputs["input_ids"].shape
    made = dict(inputs)
    for name, value in inputs.items():
        if value.shape == shape:
            end = tail if name == "input_ids" else [int(name == "attention_mask")] * len(tail)
            behind = torch.tensor([end], dtype=value.dtype)
            made[name] = torch.cat([value[:, : len(head)], behind], 1)
    return made
