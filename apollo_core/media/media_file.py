"""What can be said of a media file without a decoder."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from apollo_core.errors import DecodeFailed


def name_problem(name: str) -> str:
    """What keeps a path from being a file's anywhere, in words; "" = nothing."""
    if "\0" in name:
        return "has a NUL character in its name, which no file can have"
    if any("\ud800" <= letter <= "\udfff" for letter in name):
        return "has a name that is no text (half of a surrogate pair); rename the file"
    return ""


def look(path: str | Path) -> os.stat_result:
    """What the file system says of `path`.

    Raises:
        DecodeFailed: it is missing, a folder, empty, or not ours to read.
    """
    try:
        found = Path(path).stat()
    except FileNotFoundError:
        raise DecodeFailed(path, "does not exist") from None
    except OSError as error:
        raise DecodeFailed(path, f"cannot be looked at: {error.strerror}") from None
    except ValueError:
        raise DecodeFailed(path, name_problem(str(path))) from None
    if stat.S_ISDIR(found.st_mode):
        raise DecodeFailed(path, "is a folder")
    if stat.S_ISREG(found.st_mode) and found.st_size == 0:
        raise DecodeFailed(path, "is empty (0 bytes)")
    if not os.access(path, os.R_OK):
        raise DecodeFailed(path, "may not be read (permission denied)")
    return found
