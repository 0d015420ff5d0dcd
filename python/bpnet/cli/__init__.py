"""The command line: `bpnet demo`, `bpnet config`, `bpnet --version`. Needs the extra ``cli``."""

from typing import Annotated

import typer

import bpnet
from bpnet.cli.demo import demo

__all__ = ["app"]

app = typer.Typer(
    name="bpnet",
    help="Exact and fast dense feed-forward networks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(demo)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bpnet {bpnet.__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Exact and fast dense feed-forward networks."""


@app.command()
def config() -> None:
    """Print what this installation runs on: version, instruction set, compiler, threads."""
    bpnet.show_config()
