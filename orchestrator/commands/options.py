"""Options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

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
Address = Annotated[
    str | None, typer.Option("--address", help="a running Ray cluster; else one is started here")
]
RetryFailed = Annotated[
    bool, typer.Option("--retry-failed", help="try failed stages again, whatever their class")
]
Ship = Annotated[
    bool,
    typer.Option(
        "--ship/--no-ship", help="send this code to the cluster, or run what it has installed"
    ),
]
Engine = Annotated[
    Literal["ray", "local"],
    typer.Option("--engine", help="local: one stage after another, in this process"),
]
