"""From `kubectl apply` of an EvaluationRun to its Job, on a real apiserver.

The clock runs from starting kubectl to the Job's first event on a watch, so kubectl's own start is
in the figure. The target is an external endpoint: nothing has to become ready first.
"""

import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from bench.measurement import Measurement
from tests.kube import Kubectl, Manifest, OperatorProcess
from tests.provider import apiserver, binary

RUNS = 50


def measure() -> list[Measurement]:
    """The median and the 99th percentile of `RUNS` runs applied one after the other."""
    with tempfile.TemporaryDirectory() as directory, apiserver(Path(directory)) as kubeconfig:
        kubectl = Kubectl(binary("kubectl"), kubeconfig)
        kubectl("apply", "--server-side", "-f", "crds")
        operator = OperatorProcess(kubeconfig, Path(directory) / "operator.log")
        operator.start()
        try:
            delays = sorted(delay(kubectl, f"bench-{index}") for index in range(RUNS))
        finally:
            operator.stop()
    p99 = delays[int(0.99 * len(delays))]
    return [
        Measurement("apply_to_job_p50", statistics.median(delays), "s", 1.0, "lower"),
        Measurement("apply_to_job_p99", p99, "s", 2.0, "lower"),
    ]


def delay(kubectl: Kubectl, name: str) -> float:
    """Seconds from applying run `name` to its Job's ADDED event."""
    watch = subprocess.Popen(  # noqa: S603  the kubectl that we built
        [
            str(kubectl.binary),
            "--kubeconfig",
            str(kubectl.kubeconfig),
            "get",
            "jobs",
            "-l",
            f"proctor.dev/run={name}",
            "--watch-only",
            "-o",
            "name",
        ],
        stdout=subprocess.PIPE,
    )
    time.sleep(0.5)  # the watch must stand before there is something to see
    try:
        begin = time.perf_counter()
        kubectl.apply(run(name))
        if watch.stdout is None or not watch.stdout.readline():
            raise RuntimeError("the watch ended")
        return time.perf_counter() - begin
    finally:
        watch.kill()
        watch.wait()


def run(name: str) -> Manifest:
    """An EvaluationRun of an external endpoint."""
    evaluation = {"name": "e", "harness": "lm-eval", "tasks": ["t"]}
    target = {"endpoint": {"url": "http://model.example:8080", "model": "m"}}
    return {
        "apiVersion": "proctor.dev/v1alpha1",
        "kind": "EvaluationRun",
        "metadata": {"name": name},
        "spec": {"target": target, "evaluations": [evaluation]},
    }


if __name__ == "__main__":
    print(json.dumps([found.record() for found in measure()], indent=2))
