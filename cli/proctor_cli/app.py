"""The `proctor` command, also installed as `kubectl proctor`."""

import asyncio
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, get_args

import typer
from rich.console import Console

from proctor_cli import tasks, view
from proctor_cli.documents import Documents, DocumentsInvalidError, load
from proctor_cli.endless import endless
from proctor_cli.local.cluster import LocalCluster
from proctor_cli.local_run import passed, run
from proctor_crds import catalogue
from proctor_crds.evaluation_run import Harness
from proctor_crds.validation import did_you_mean
from proctor_operator import logs
from proctor_operator.cluster import ClusterError, Manifest
from proctor_operator.settings import VERSION

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
PIPE_WIDTH = 120
console = Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, markup=False, emoji=False)
errors = Console(
    stderr=True, width=None if sys.stderr.isatty() else PIPE_WIDTH, markup=False, emoji=False
)
Files = Annotated[list[Path], typer.Argument(help="YAML files, as for kubectl apply -f.")]
INVALID_INPUT = 64


@app.command("run")
def run_command(
    files: Files,
    volume: Annotated[
        list[str] | None,
        typer.Option(help="CLAIM=DIRECTORY: the files behind a PersistentVolumeClaim."),
    ] = None,
    state: Annotated[
        Path | None, typer.Option(help="Where to keep logs and artifacts; a new folder if absent.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Give up after so many seconds; never if absent.")
    ] = None,
) -> None:
    """Serve and evaluate on this machine: pods run as processes on 127.0.0.1.

    Ends when every EvaluationRun has ended, with 0 where all succeeded and their gates are passed,
    else 1; with 64 at once where a file is wrong or would be waited for without end.
    """
    documents, volumes = loaded(files), claims(volume or [])
    if waits := list(endless(documents)):
        raise refused("\n".join(waits))
    state = state or Path(tempfile.mkdtemp(prefix="proctor-"))
    try:
        ended = asyncio.run(
            asyncio.wait_for(run_locally(documents, volumes, state), timeout=timeout)
        )
    except ClusterError as error:
        raise refused(str(error)) from None
    except TimeoutError:
        errors.print(f"not finished after {timeout} s; every process was ended; logs: {state}")
        raise typer.Exit(1) from None
    except (KeyboardInterrupt, asyncio.CancelledError):
        errors.print(f"stopped; every process was ended; logs: {state}")
        raise typer.Exit(130) from None
    show_results(ended, state)
    raise typer.Exit(0 if all(map(passed, ended)) else 1)


async def run_locally(
    documents: Documents, volumes: dict[str, Path], state: Path
) -> list[Manifest]:
    """The run, with its table kept up to date."""
    with view.Screen(errors) as screen:
        end_on_signal(screen.tell)
        async with LocalCluster(state, volumes=volumes, progress=screen.tell) as cluster:
            return await run(documents, cluster, screen.show)


def end_on_signal(tell: Callable[[str], None]) -> None:
    """Have Ctrl-C and SIGTERM cancel this task, which ends its processes; a second one, at once.

    asyncio's own answer to a second Ctrl-C is an exception wherever the program happens to be.
    """
    task = asyncio.current_task()

    def end() -> None:
        tell("ending every process; Ctrl-C again to kill them")
        if task:
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end)


def show_results(resources: list[Manifest], state: Path) -> None:
    """Scores, then the status of each run."""
    runs = [manifest for manifest in resources if manifest["kind"] == "EvaluationRun"]
    for manifest in runs:
        console.print(view.score_table(manifest))
    for manifest in runs:
        console.print(view.status_yaml(manifest), highlight=False, soft_wrap=True)
    errors.print(f"logs and artifacts: {state}")


@app.command()
def validate(files: Files) -> None:
    """Check files as the apiserver would, without one, and the names of their tasks."""
    documents = loaded(files)
    console.print(f"{len(documents.resources)} resources are valid")


@app.command("tasks")
def tasks_command(
    harness: Annotated[str | None, typer.Option(help="Only this harness's.")] = None,
    search: Annotated[
        str | None, typer.Option(help="Only those in whose name or description all words appear.")
    ] = None,
) -> None:
    """List what can be evaluated: tasks, what each needs, and its metrics."""
    known = list(get_args(Harness))
    if harness is not None and harness not in known:
        meant = did_you_mean(harness, known)
        raise typer.BadParameter(f"{harness}{meant}; known: {', '.join(known)}")
    found = catalogue.search(search or "", harness)
    if not found:
        near = ", ".join(name for each in known for name in catalogue.near(each, search or ""))
        errors.print(f"no such task{f'; did you mean {near}?' if near else ''}")
        raise typer.Exit(1)
    console.print(tasks.table(found))
    if harness not in catalogue.COMPLETE:
        errors.print("lm-eval has more tasks than are listed, and runs your own YAML")


@app.command()
def version() -> None:
    """Print the version."""
    console.print(VERSION)


def loaded(files: list[Path]) -> Documents:
    """The files' documents; ends the program where one is invalid."""
    try:
        documents = load(files)
    except DocumentsInvalidError as error:
        raise refused(str(error)) from None
    if not documents.resources:
        raise refused("no ModelDeployment and no EvaluationRun in the files")
    return documents


def refused(words: str) -> typer.Exit:
    """The end of the program where its input is wrong; says so in `words`."""
    errors.print(words, highlight=False, soft_wrap=True)
    return typer.Exit(INVALID_INPUT)


def claims(options: list[str]) -> dict[str, Path]:
    """`CLAIM=DIRECTORY` options, each an existing directory."""
    found = {}
    for option in options:
        claim, separator, directory = option.partition("=")
        if not separator or not Path(directory).is_dir():
            raise typer.BadParameter(f"{option}: give CLAIM=DIRECTORY with an existing directory")
        found[claim] = Path(directory).resolve()
    return found


def main() -> None:
    """The console script."""
    logs.configure()
    app()


if __name__ == "__main__":
    main()
