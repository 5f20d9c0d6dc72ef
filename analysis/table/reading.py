"""Read a CSV or Parquet file into text columns, keeping for each row where it stood in the file."""

# pandas annotates results as unions that no caller can narrow; the tests run every line.
# pyright: reportArgumentType=false, reportReturnType=false

from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd

from analysis.errors import TableError


def read_rows(path: Path) -> pd.DataFrame:
    """Read every column of a table as text; the index says the row's place, for error messages.

    Text keeps names as they were written (`007` stays `007`) and lets the one place that parses
    scores name the row that holds no number. Wholly empty lines are skipped.

    Returns:
        A frame of `str`, missing values as "". Its index is the line of the file (CSV, the header
        being line 1) or the number of the row (Parquet, from 1).

    Raises:
        TableError: the file is absent, empty, not a table, or has a column twice.
    """
    if not path.is_file():
        raise TableError(f"{path}: no such file; give a table as CSV or Parquet.")
    frame = _read_parquet(path) if path.suffix.lower() in {".parquet", ".pq"} else _read_csv(path)
    frame.columns = [str(column).strip() for column in frame.columns]
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise TableError(f"{path}: the column {repeated[0]!r} stands twice in the header.")
    frame = frame[(frame != "").any(axis=1)]
    if frame.empty:
        raise TableError(f"{path}: the table has no rows below its header.")
    return frame


def _read_csv(path: Path) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            # A row longer than the header is cut with a warning only; that would lose data.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            raw = pd.read_csv(
                path,
                header=None,
                dtype=str,
                keep_default_na=False,
                skip_blank_lines=False,
                index_col=False,
                encoding="utf-8-sig",
            )
    except pd.errors.EmptyDataError:
        raise TableError(f"{path}: the file is empty.") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            header = file.readline()
        if "," not in header:  # decimal commas in the rows below
            _refuse_other_separators(path, header)
        raise TableError(f"{path}: not a CSV table: {_one_line(error)}") from None
    except UnicodeDecodeError as error:
        raise TableError(
            f"{path}: not UTF-8 text (byte {error.start}); save the table as CSV in UTF-8."
        ) from None
    # Absent trailing fields come as NaN even though empty ones come as "".
    raw = raw.fillna("").apply(lambda column: column.str.strip())
    frame = raw.iloc[1:].copy()
    frame.columns = raw.iloc[0].tolist()
    frame.index = pd.RangeIndex(2, 2 + len(frame))
    if len(frame.columns) == 1:
        _refuse_other_separators(path, str(frame.columns[0]))
    return frame


def _refuse_other_separators(path: Path, header: str) -> None:
    for separator, name in ((";", "semicolons"), ("\t", "tabs")):
        if separator in header:
            raise TableError(
                f"{path}: the columns are separated by {name}; save the table with commas."
            )


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        frame = pd.read_parquet(path).reset_index(drop=True)
    except (OSError, ValueError) as error:  # pyarrow's own errors derive from these two
        raise TableError(f"{path}: not a Parquet table: {_one_line(error)}") from None
    except ImportError:
        raise TableError(f"{path}: reading Parquet needs pyarrow; install it or use CSV.") from None
    text = pd.DataFrame({column: _as_text(frame[column]) for column in frame.columns})
    text.index = pd.RangeIndex(1, 1 + len(text))
    return text


def _as_text(column: pd.Series) -> pd.Series:
    """Write each value so that float() reads it back unchanged; missing values become ""."""
    return column.astype(object).map(lambda value: "" if pd.isna(value) else str(value).strip())


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())
