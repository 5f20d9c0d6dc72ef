"""An option that is a flag when it stands alone and takes names when some follow it."""

from __future__ import annotations

from collections.abc import Sequence

from typer import Context
from typer.core import TyperCommand

OPTION = "--lower-is-better"


class ReportCommand(TyperCommand):
    """`apollo report`, with `--lower-is-better` alone, as `=a,b`, or with names behind it."""

    # Typer calls its own click by a private name; this is its public one.
    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Parse the arguments once the option has a value, "" where no names were given."""
        return super().parse_args(ctx, with_value(args))


def with_value(args: Sequence[str]) -> list[str]:
    """Write the option as OPTION=NAMES.

    The next word is its names only beside --scores: without it that word is the sweep file.
    """
    rest, written = list(args), list[str]()
    of_table = any(arg.split("=")[0] == "--scores" for arg in args)
    while rest:
        arg = rest.pop(0)
        if arg == OPTION:
            named = of_table and rest and not rest[0].startswith("-")
            arg = f"{OPTION}={rest.pop(0) if named else ''}"
        written.append(arg)
    return written
