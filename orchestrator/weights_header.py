"""What a safetensors file's header says of it, and whether the file is whole."""

from __future__ import annotations

import json
import math
import struct
from pathlib import Path

from apollo_core.errors import BadInput

_LENGTH = struct.Struct("<Q")
_LONGEST = 100_000_000  # bytes of a header; the format's own bound
_POINTER = b"version https://git-lfs"


def parameters_of(file: Path) -> int:
    """Numbers in a file.

    Raises:
        BadInput: it is cut off, a pointer of git-lfs, or no safetensors file.
    """
    return sum(_counts(file))


def require_whole(folder: Path) -> None:
    """Refuse a model's folder of whose weights a file is absent, cut off or none.

    Raises:
        BadInput: naming the file.
    """
    for file in sorted(folder.glob("*.safetensors")):
        _counts(file)
    for index in sorted(folder.glob("*.safetensors.index.json")):
        absent = sorted(name for name in _indexed(index) if not (folder / name).is_file())
        if absent:
            more = f" and {len(absent) - 3} more" if len(absent) > 3 else ""
            raise BadInput(
                f"{index}: {', '.join(absent[:3])}{more} of its files "
                f"{'is' if len(absent) == 1 else 'are'} not there; download the model again"
            )


def _counts(file: Path) -> list[int]:
    """How many numbers each tensor has."""
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            start = stream.read(len(_POINTER))
            if start == _POINTER:
                raise BadInput(
                    f"{file}: a pointer of git-lfs, which stands for the weights; get them with "
                    "`git lfs pull`"
                )
            length = _LENGTH.unpack_from(start)[0] if len(start) >= _LENGTH.size else size
            # A length out of nowhere is not to be read into memory.
            if length > min(size - _LENGTH.size, _LONGEST):
                raise _broken(file)
            stream.seek(_LENGTH.size)
            header = json.loads(stream.read(length))
        header.pop("__metadata__", None)
        tensors = list(header.values())
        end = max((each["data_offsets"][1] for each in tensors), default=0)
        counts = [math.prod(each["shape"]) for each in tensors]
    except OSError as error:
        raise BadInput(f"{file}: cannot be read ({error.strerror})") from error
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        raise _broken(file) from None
    if _LENGTH.size + length + end != size:
        raise _broken(file)
    return counts


def _indexed(index: Path) -> set[str]:
    """Names of the files that an index spreads a model over."""
    try:
        return {str(name) for name in json.loads(index.read_bytes())["weight_map"].values()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise BadInput(
            f"{index}: no index of weights can be read; download the model again"
        ) from None


def _broken(file: Path) -> BadInput:
    return BadInput(
        f"{file}: is cut off, or no safetensors file; download it again (what its header says and "
        "its size do not agree)"
    )
