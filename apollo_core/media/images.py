"""Read a still image as one clip of a repeated frame."""

from __future__ import annotations

import stat
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from apollo_core.errors import DecodeFailed
from apollo_core.media.frames import ClipFrames, clip_frames
from apollo_core.media.letterbox import letterbox, pad
from apollo_core.media.media_file import look
from apollo_core.sampling import image_clip


def read_image(path: str | Path, *, size: int) -> np.ndarray:
    """One image as video frames come: uint8 RGB, shape (1, size, size, 3).

    Turned upright by its EXIF tag, long side resized (bicubic) to `size`, padded with grey.

    Raises:
        DecodeFailed: missing, empty, cut off, too large to be meant, or no image.
    """
    if not stat.S_ISREG(look(path).st_mode):
        raise DecodeFailed(path, "is not a regular file")
    try:
        with Image.open(path) as image:
            if image.mode.startswith(("I", "F")):
                raise DecodeFailed(path, f"has pixels of mode {image.mode}; convert it to 8 bits")
            upright = ImageOps.exif_transpose(image).convert("RGB")
            place = letterbox(*upright.size, size)
            resized = upright.resize((place.width, place.height), Image.Resampling.BICUBIC)
            return pad(np.array(resized)[None], place, size)
    except UnidentifiedImageError:
        raise DecodeFailed(path, "is not an image that Pillow can read") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DecodeFailed(path, f"is damaged: {error}") from None


def read_image_clip(path: str | Path, *, frames_per_clip: int, size: int) -> ClipFrames:
    """One image as one clip of `frames_per_clip` equal frames. Raises `DecodeFailed`."""
    clips = (image_clip(frames_per_clip),)
    return clip_frames((0,), read_image(path, size=size), clips, duration=0.0, rate=0.0)
