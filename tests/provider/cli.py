"""`python -m tests.provider`: a Kubernetes for tests, up and down again."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tests.provider import apiserver_tier, binaries, cluster, images, own_node
from tests.provider.errors import FailedError, UnavailableError
from tests.provider.paths import cache
from tests.provider.process_table import ProcessTable

app = typer.Typer(no_args_is_help=True, help=__doc__, pretty_exceptions_enable=False)


class Tier(StrEnum):
    """How much of a Kubernetes."""

    APISERVER = "apiserver"
    NODE = "node"


TierOption = Annotated[Tier, typer.Option(help="apiserver: no pods, no root. node: pods run.")]
StateOption = Annotated[Path | None, typer.Option(help="Where an apiserver keeps its state.")]


@app.command()
def up(tier: TierOption = Tier.NODE, state: StateOption = None) -> None:
    """Bring a cluster up, or what of it is missing; prints its kubeconfig."""
    if tier is Tier.NODE:
        typer.echo(cluster.up())
    else:
        directory = _apiserver_state(state)
        directory.mkdir(parents=True, exist_ok=True)
        typer.echo(apiserver_tier.up(directory))


@app.command()
def down(
    tier: TierOption = Tier.NODE,
    state: StateOption = None,
    purge: Annotated[bool, typer.Option("--purge", help="Also remove every image.")] = False,
) -> None:
    """Stop it and throw its state away."""
    if tier is Tier.APISERVER:
        apiserver_tier.down(_apiserver_state(state))
    elif purge:
        own_node.purge()
    else:
        cluster.down()


@app.command()
def kubeconfig(tier: TierOption = Tier.NODE, state: StateOption = None) -> None:
    """Print where the kubeconfig is."""
    here = _apiserver_state(state) / "kubeconfig"
    typer.echo(cluster.kubeconfig() if tier is Tier.NODE else here)


@app.command()
def status(tier: TierOption = Tier.NODE, state: StateOption = None) -> None:
    """What runs."""
    if tier is Tier.NODE:
        own, title = own_node.table(), str(cluster.source())
        where, ready = cluster.kubeconfig(), cluster.running()
    else:
        own, title = ProcessTable(_apiserver_state(state)), "apiserver"
        where, ready = own.state / "kubeconfig", apiserver_tier.running(own.state)
    shown = Table("process", "pid", "", "log", title=title)
    for name, process in own.recorded().items():
        word = "[green]runs[/]" if process.alive else "[red]ended[/]"
        shown.add_row(name, str(process.pid), word, str(own.log(name)))
    console = Console()
    console.print(shown)
    console.print(f"{'ready' if ready else 'down'}: KUBECONFIG={where}", soft_wrap=True)


@app.command()
def build() -> None:
    """Build every program from Go modules, ahead of time."""
    binaries.build_all()


@app.command()
def binary(name: str) -> None:
    """Print the path of a program, built where it is not yet: kubectl, helm, ..."""
    typer.echo(binaries.binary(name))


@app.command()
def build_image(
    name: str,
    context: Path,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="The Dockerfile.")] = None,
) -> None:
    """Build an image; FROM python:3.11-slim needs no registry."""
    images.build(name, file or context / "Dockerfile", context)


@app.command()
def load_image(name: str) -> None:
    """Make an image that was built here available to pods."""
    cluster.load_image(name)


def main() -> None:
    """Run, and end on a foreseen failure with its message instead of a traceback."""
    try:
        app(prog_name="python -m tests.provider")
    except (FailedError, UnavailableError) as error:
        typer.echo(error, err=True)
        raise SystemExit(1) from error


def _apiserver_state(given: Path | None) -> Path:
    return given.absolute() if given else cache() / "apiserver"
