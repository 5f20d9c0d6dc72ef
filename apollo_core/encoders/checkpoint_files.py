"""Which files a published model is read from: torch-free, for fetching and fingerprints too.

Most families are read by transformers, from safetensors alone. The families built here were
published as files of `torch.save`: a pickle inside, from which only tensors are ever taken
(`weights_only`), so that nothing in it can run code.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from apollo_core.errors import BadData, BadInput

# Families that are read by apollo_core.encoders.checkpoints.
OWN_FAMILIES = frozenset({"internvideo2", "languagebind_image", "languagebind_video", "vjepa"})

_SAFE = (".safetensors",)
_SAVED_BY_TORCH = (".pt", ".pth", ".pth.tar", ".bin")
_BESIDE = (".json", ".txt", ".model", ".jinja")


def endings(family: str) -> tuple[str, ...]:
    """Endings of the files that a model of this family is read from."""
    if family in OWN_FAMILIES:
        return (*_SAFE, *_SAVED_BY_TORCH, ".json")
    return (*_SAFE, *_BESIDE)


def is_read(path: Path, family: str) -> bool:
    """Whether a model of this family may be read from this file."""
    return path.name.endswith(endings(family))


def weights_files(path: Path) -> list[Path]:
    """The files of weights that `path` may mean: itself, or those of its folder.

    Safetensors go before what torch saved, since many publish both.
    """
    if path.is_file():
        return [path]
    files = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else []
    return _ending(files, _SAFE) or _ending(files, _SAVED_BY_TORCH)


def weights_file(path: Path) -> Path:
    """The one file of weights that `path` means.

    Raises:
        BadInput: several, which are named.
        BadData: none.
    """
    found = weights_files(path)
    if not found:
        known = ", ".join(f"*{ending}" for ending in (*_SAFE, *_SAVED_BY_TORCH))
        raise BadData(f"{path}: no weights there: neither a file nor a folder with one of {known}")
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise BadInput(
            f"{path}: {len(found)} files could be the weights: {names}. Give one file's path as "
            "the source, or a folder that holds one."
        )
    return found[0]


def config_file(weights: Path) -> Path:
    """Where what a file of weights can't say may be written: `config.json` beside it."""
    return weights.parent / "config.json"


def _ending(files: Iterable[Path], kinds: tuple[str, ...]) -> list[Path]:
    return [file for file in files if file.name.endswith(kinds)]
