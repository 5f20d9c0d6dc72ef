"""Rows of a file, each with its place, whatever the file is: JSONL, JSON, CSV or Parquet.

A row is loaded by whoever wants it, so that one that is wrong is told with its place, beside the
others. Where a JSON file is an object, each of its entries is a row `{KEY: key, VALUE: value}`.
A key that an object has twice is refused: JSON would keep the last alone, and questions would be
lost unseen.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from apollo_core.errors import BadInput, DataMissing
from apollo_core.media.manifest_record import BadRecordError, parse_line

Row = Mapping[str, Any]
# Where in the file (behind its name in an error), and what loads the row or raises BadRecordError.
Placed = tuple[str, Callable[[], Row]]

KEY, VALUE = "key", "value"
SUFFIXES = (".jsonl", ".json", ".csv", ".parquet")
_BOM = b"\xef\xbb\xbf"
# Rows of a Parquet file in memory at a time.
_BATCH = 1024


def rows_of(path: Path) -> Iterator[Placed]:
    """Every row in the file's order, by the name's ending; anything else is JSONL.

    Raises:
        DataMissing: there is no such file.
        BadInput: it cannot be read, or not as what its name says.
    """
    try:
        yield from _READERS.get(path.suffix.lower(), _json_lines)(path)
    except FileNotFoundError:
        raise DataMissing(f"{path}: there is no such manifest") from None
    except OSError as error:
        why = error.strerror or error
        raise BadInput(f"{path}: the manifest cannot be read: {why}") from None


def _json_lines(path: Path) -> Iterator[Placed]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            bare = line.removesuffix(b"\n")
            text = bare.removeprefix(_BOM) if number == 1 else bare
            if text.strip():
                yield f":{number}", partial(parse_line, text, pairs=_once)


def _json(path: Path) -> Iterator[Placed]:
    raw = path.read_bytes().removeprefix(_BOM)
    try:
        found = json.loads(raw.decode("utf-8"), object_pairs_hook=_once)
    except BadRecordError as error:
        raise BadInput(f"{path}: {error}") from None
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise BadInput(f"{path}:{line}: not UTF-8; save the file as UTF-8") from None
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":  # JSON lines under another name
            yield from _json_lines(path)
            return
        raise BadInput(f"{path}:{error.lineno}: not JSON: {error.msg}") from None
    except RecursionError:
        raise BadInput(f"{path}: no benchmark: nested too deep") from None
    if isinstance(found, list):
        for number, row in enumerate(found, start=1):
            yield f", entry {number}", partial(_object, row)
    elif isinstance(found, dict):
        for key, value in found.items():
            yield f", {key!r}", partial(dict[str, Any], {KEY: key, VALUE: value})
    else:
        raise BadInput(f"{path}: a list or an object is needed, got {type(found).__name__}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON. Raises `BadRecordError` for a key that it has twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        key, count = counts.most_common(1)[0]
        raise BadRecordError(
            f"the key {key!r} stands {count} times in one object, and only the last would be read; "
            "put what belongs to it under one"
        )
    return found


def _object(row: object) -> Row:
    if not isinstance(row, dict):
        raise BadRecordError(f"a JSON object is needed, got {type(row).__name__}")
    return row


def _csv(path: Path) -> Iterator[Placed]:
    with path.open("rb") as file:
        reader = csv.DictReader(_decoded(path, file), strict=True)
        begun = 1  # the line that a row begins in; a text in quotes may go on in the next
        try:
            for row in reader:
                begun = reader.line_num + 1
                yield f":{reader.line_num}", partial(_whole, row, reader.fieldnames or ())
        except csv.Error as error:
            raise BadInput(f"{path}:{max(begun, 2)}: not CSV: {error}") from None


def _decoded(path: Path, lines: Iterator[bytes] | Any) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        try:
            yield (line.removeprefix(_BOM) if number == 1 else line).decode("utf-8")
        except UnicodeDecodeError as error:
            raise BadInput(
                f"{path}:{number}: byte {error.start + 1} is not UTF-8; save the file as UTF-8"
            ) from None


def _whole(row: Mapping[str | None, Any], header: Any) -> Row:
    """A row with as many fields as the header."""
    if None in row or None in row.values():
        extra = len(row.get(None, ()))
        had = len(header) + extra if extra else sum(value is not None for value in row.values())
        raise BadRecordError(
            f"{had} fields, the header has {len(header)}; put a text with commas in quotes"
        )
    return {str(key): value for key, value in row.items()}


def _parquet(path: Path) -> Iterator[Placed]:
    # Imported here: pyarrow takes a third of a second, and most benchmarks are JSON.
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    number = 0
    with path.open("rb") as file:
        try:
            for batch in ParquetFile(file).iter_batches(batch_size=_BATCH):
                for row in batch.to_pylist():
                    number += 1
                    yield f", row {number}", partial(_object, row)
        except (ArrowException, UnicodeDecodeError) as error:
            raise BadInput(f"{path}, behind row {number}: not Parquet: {error}") from None


_READERS: dict[str, Callable[[Path], Iterator[Placed]]] = {
    ".jsonl": _json_lines,
    ".json": _json,
    ".csv": _csv,
    ".parquet": _parquet,
}
