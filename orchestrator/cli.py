"""The command line: `apollo COMMAND`. Exit codes: 0 done, 1 the work failed, 2 bad input.

Commands live in `orchestrator.commands`, one a file; what needs `analysis` lives here.
"""

from __future__ import annotations

import sys

import typer

from apollo_core.errors import ApolloError, BadInput
from orchestrator.commands.explain import explain
from orchestrator.commands.plan import plan
from orchestrator.commands.schema import schema

app = typer.Typer(
    name="apollo",
    help="Design-choice sweeps for video LMMs: plan, run, watch, and report what transfers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(plan)
app.command()(explain)
app.command()(schema)


def main() -> None:
    """Run the command line; an error becomes a message on stderr and an exit code."""
    try:
        app()
    except BadInput as error:
        sys.exit(_told(error, code=2))
    except ApolloError as error:
        sys.exit(_told(error, code=1))


def _told(error: ApolloError, *, code: int) -> int:
    typer.echo(f"apollo: {error}", err=True)
    return code
