"""Options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_STORE = Path("out/store")

SweepPath = Annotated[Path, typer.Argument(metavar="SWEEP", help="the sweep file (YAML)")]
StorePath = Annotated[
    Path, typer.Option("--store", envvar="APOLLO_STORE", help="folder of finished stages")
]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON document on stdout, nothing else")]
KnownSweep = Annotated[
    Path,
    typer.Argument(metavar="SWEEP", help="a sweep file, or the name of one that ran in the store"),
]
