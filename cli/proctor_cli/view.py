"""What a person sees: resources as they change, scores when they are there.

A text of a cluster's or a harness's is a `Text`: in a plain string rich takes `[word]` for markup.
"""

from textwrap import shorten
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from proctor_crds.reasons import ConditionType
from proctor_crds.yaml_text import to_yaml
from proctor_operator.cluster import Manifest
from proctor_operator.status import find


class Screen(Live):
    """The resources' table, and under it what is being prepared."""

    def __init__(self, console: Console) -> None:
        super().__init__(console=console, auto_refresh=False)
        self._table = progress_table([])
        self._note = Text(style="dim", no_wrap=True, overflow="ellipsis")

    def stop(self) -> None:
        """Leave what was shown last, and the next line to others: a pipe has no cursor to move."""
        last = self.is_started and not self.console.is_terminal
        super().stop()
        if last:
            self.console.line()

    def show(self, resources: list[Manifest]) -> None:
        """Show the resources as they are now."""
        self._table = progress_table(resources)
        self.update(Group(self._table, self._note), refresh=True)

    def tell(self, note: str) -> None:
        """Show what is being done, such as a package being installed."""
        self._note = Text(note.strip(), style="dim", no_wrap=True, overflow="ellipsis")
        self.update(Group(self._table, self._note), refresh=True)


DETAIL_LIMIT = 240
"""Characters of a condition's message; the whole is in the status."""

STYLES = {"True": "green", "False": "red", "Unknown": "yellow"}


def progress_table(resources: list[Manifest]) -> Table:
    """One row a resource: what it waits for, or how far it is."""
    table = Table(box=None, pad_edge=False)
    for title in ("KIND", "NAME", "STATE", "PROGRESS", "SCORE"):
        table.add_column(title, no_wrap=True)
    table.add_column("DETAIL", overflow="fold", ratio=1)
    for manifest in resources:
        status = manifest.get("status") or {}
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        state, detail = telling(kind, status.get("conditions", []))
        detail = shorten(detail, DETAIL_LIMIT, placeholder=" ...")
        rest = (status.get("progress", ""), status.get("score", ""), detail)
        table.add_row(kind, name, state, *map(Text, rest))
    return table


def telling(kind: str, conditions: list[Manifest]) -> tuple[Text, str]:
    """The condition that says most about a resource right now, as state and detail."""
    refused = find(conditions, ConditionType.ACCEPTED)
    if refused and refused["status"] == "False":
        return Text(refused["reason"], "red"), refused["message"]
    order = (ConditionType.SUCCEEDED, ConditionType.RUNNING)
    for wanted in (ConditionType.READY,) if kind == "ModelDeployment" else order:
        found = find(conditions, wanted)
        if found and not (wanted == ConditionType.SUCCEEDED and found["status"] == "Unknown"):
            style = "yellow" if in_motion(found) else STYLES[found["status"]]
            return Text(found["reason"], style), found["message"]
    return Text(), ""


def in_motion(condition: Manifest) -> bool:
    """Whether the condition is not yet what it will be, rather than gone wrong."""
    return condition["reason"] in {
        "Starting",
        "RollingOut",
        "WaitingForTarget",
        "WaitingForPod",
        "JobsRunning",
    }


def score_table(run: Manifest) -> Table:
    """The scores of an EvaluationRun."""
    name = run["metadata"]["name"]
    table = Table(title=f"EvaluationRun {name}", title_justify="left")
    for title in ("Evaluation", "Task", "Metric", "Filter"):
        table.add_column(title, no_wrap=True)
    for title in ("Value", "± Stderr", "n"):
        table.add_column(title, justify="right", no_wrap=True)
    for evaluation in run.get("status", {}).get("evaluations", []):
        for record in evaluation.get("results", []):
            table.add_row(evaluation["name"], *map(Text, score_row(record)))
    return table


def score_row(record: Manifest) -> list[str]:
    """One score."""
    stderr = record.get("stderr")
    return [
        record["task"],
        record["metric"],
        record["filter"],
        f"{float(record['value']):.4f}",
        f"{float(stderr):.4f}" if stderr else "",
        str(record.get("n", "")),
    ]


def status_yaml(manifest: Manifest) -> str:
    """The resource's identity and status, as `kubectl get -o yaml` shows them."""
    meta = manifest["metadata"]
    shown: dict[str, Any] = {
        "apiVersion": manifest["apiVersion"],
        "kind": manifest["kind"],
        "metadata": {"name": meta["name"], "namespace": meta["namespace"]},
        "status": manifest.get("status", {}),
    }
    return to_yaml(shown)
