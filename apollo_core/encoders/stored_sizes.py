"""Sizes that the tensors of a checkpoint don't tell, or not safely: checked before a model is made.

How many blocks there are can be counted, but a file that lost its last ones is then a smaller model
that loads without an error. So the number is known beforehand: from `config.json`, else as it was
published.
"""

from __future__ import annotations

from collections.abc import Collection

from apollo_core.encoders.checkpoints import Checkpoint
from apollo_core.errors import BadData


def block_count(checkpoint: Checkpoint, stem: str, *, published: Collection[int]) -> int:
    """How many blocks `STEM.0`, `STEM.1`, ... a checkpoint has, which is how many it should have.

    Args:
        checkpoint: it.
        stem: of the blocks' names.
        published: numbers with which models of this width were published; none for other widths.

    Raises:
        BadData: it has another number than its config says, or than was published where there is
            none; or neither tells.
    """
    found = checkpoint.count(stem)
    if "num_hidden_layers" in checkpoint.config or not published:
        told = checkpoint.number("num_hidden_layers", None)
        expected, source = [told], "num_hidden_layers in config.json beside it says"
    else:
        expected, source = sorted(published), "models of its width were published with"
    if found in expected:
        return found
    raise BadData(
        f"{checkpoint.origin}: has {found} blocks ({stem}.0, ...), {source} "
        f"{' or '.join(map(str, expected))}. Fetch the file again; if {found} is right, write it "
        "as num_hidden_layers into config.json beside it"
    )


def head_count(checkpoint: Checkpoint, dim: int, *, published: int | None) -> int:
    """Attention heads: as the config says, else `published`.

    Raises:
        BadData: neither tells, or the width is no multiple of it.
    """
    heads = checkpoint.number("num_attention_heads", published)
    if dim % heads:
        raise BadData(
            f"{checkpoint.origin}: num_attention_heads in config.json is {heads}; the width of "
            f"{dim} is no multiple of it"
        )
    return heads


def slot_count(checkpoint: Checkpoint, tubelet: int, *, published: int) -> int:
    """Temporal slots of the stored table: `num_frames` of the config over the tubelet's frames.

    Raises:
        BadData: they are not whole tubelets.
    """
    frames = checkpoint.number("num_frames", published)
    if frames % tubelet:
        raise BadData(
            f"{checkpoint.origin}: num_frames in config.json is {frames}, no whole number of its "
            f"tubelets of {tubelet} frames; write there for how many frames the table was made"
        )
    return frames // tubelet


def input_size(checkpoint: Checkpoint, side: int, *, patch: int) -> int:
    """Side of the input in pixels: as the config says, else that of a table of `side` patches.

    Raises:
        BadData: less than one patch.
    """
    size = checkpoint.number("image_size", side * patch)
    if size < patch:
        raise BadData(
            f"{checkpoint.origin}: image_size in config.json is {size}, less than a patch of "
            f"{patch} pixels"
        )
    return size
