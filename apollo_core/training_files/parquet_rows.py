"""Rows of Parquet files, with the media that they hold taken out and named.

Media stand in rows as Hugging Face's data sets write them, `{"bytes", "path"}`, or as bare bytes;
one becomes `FILE/ROW/PLACE`, as in `train-0.parquet/17/images.0.png`. Columns that are empty in a
row are left out of it; columns that mean nothing here are passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

from apollo_core.errors import BadInput, DataMissing

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

Row = Mapping[str, Any]

COLUMNS = (
    "id", "image", "images", "video", "videos", "conversations", "messages", "texts", "system",
)  # fmt: skip
# Columns or keys that hold what is said.
TURNS = frozenset(("conversations", "messages", "texts"))
# Rows in memory at a time: one may hold a film.
_ROWS = 16


class Held(NamedTuple):
    """A row without its media's bytes, and these by the names that they got."""

    row: dict[str, Any]
    media: Mapping[str, bytes]


def group_sizes(path: Path) -> list[int]:
    """Rows of each row group.

    Raises:
        DataMissing: there is no such file.
        BadInput: it is no Parquet file, or has no conversations.
    """
    with _opened(path) as file:
        meta = file.metadata
        return [meta.row_group(index).num_rows for index in range(meta.num_row_groups)]


def rows_of_group(path: Path, group: int, *, first: int, name: str) -> Iterator[Held]:
    """The rows of one row group, a few in memory at a time.

    Args:
        path: the file.
        group: which row group.
        first: the number of its first row in the file, counted from 0.
        name: the file's, as its media are to be named.

    Raises:
        As `group_sizes`; BadInput names the row behind which the file is damaged.
    """
    from pyarrow import ArrowException

    number = first
    with _opened(path) as file:
        try:
            for batch in file.iter_batches(_ROWS, row_groups=[group], columns=_wanted(file)):
                for row in batch.to_pylist():
                    yield _held(row, f"{name}/{number}")
                    number += 1
        except (ArrowException, OSError, UnicodeDecodeError) as error:
            raise BadInput(f"{path}, behind row {number}: damaged: {error}") from None


def _opened(path: Path) -> ParquetFile:
    # Imported here: it takes a third of a second, and most manifests are JSON.
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        file = ParquetFile(path, pre_buffer=False)
    except FileNotFoundError:
        raise DataMissing(f"{path}: there is no such manifest") from None
    except (ArrowException, OSError) as error:
        why = "is empty (0 bytes)" if not path.stat().st_size else f"not Parquet: {error}"
        raise BadInput(f"{path}: {why}") from None
    columns = file.schema_arrow.names
    if not TURNS & set(columns):
        file.close()
        raise BadInput(
            f"{path}: no column of conversations; one of {', '.join(sorted(TURNS))} is needed, "
            f"the columns are {', '.join(columns[:12])}{', ...' if len(columns) > 12 else ''}"
        )
    return file


def _wanted(file: ParquetFile) -> list[str]:
    return [name for name in file.schema_arrow.names if name in COLUMNS]


def _held(row: Mapping[str, Any], name: str) -> Held:
    media: dict[str, bytes] = {}
    kept = {
        key: _without_bytes(value, f"{name}/{key}", media)
        for key, value in row.items()
        if value is not None and not (isinstance(value, list) and not value)
    }
    return Held(kept, media)


def _without_bytes(value: Any, name: str, media: dict[str, bytes]) -> Any:
    if isinstance(value, bytes):
        media[name] = value
        return name
    if isinstance(value, dict):
        if value.keys() <= {"bytes", "path"} and "bytes" in value:
            path = value.get("path")
            if value["bytes"] is None:
                return path
            named = f"{name}{_suffix(path)}"
            media[named] = value["bytes"]
            return named
        return {
            key: _without_bytes(each, f"{name}.{key}", media)
            for key, each in value.items()
            if each is not None
        }
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_without_bytes(each, f"{name}.{at}", media) for at, each in enumerate(value)]
    return value


def _suffix(path: object) -> str:
    return PurePosixPath(path).suffix[:8] if isinstance(path, str) else ""
