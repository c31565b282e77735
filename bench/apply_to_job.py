"""From `kubectl apply` of an EvaluationRun to its Job, on a real apiserver.

The clock runs from starting kubectl to the Job's first event on a watch, so kubectl's own start is
in the figure. The target is an external endpoint: nothing has to become ready first.
"""

import json
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from bench.measurement import Measurement
from tests.kube import Kubectl, Manifest, OperatorProcess
from tests.provider import apiserver, binary

RUNS = 50
PATIENCE_SECONDS = 30


def measure() -> list[Measurement]:
    """The median and the 99th percentile of `RUNS` runs applied one after the other.

    Of 50 the latter is the slowest: the first, for which connections are made and code is loaded.
    """
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
    """Seconds from applying run `name` to its Job's first line on a watch."""
    # Not --watch-only: a watch that stands too late then still shows the Job, and costs time.
    selector = ("--selector", f"proctor.dev/run={name}")
    watch = subprocess.Popen(  # noqa: S603  the kubectl that we built
        [
            str(kubectl.binary),
            f"--kubeconfig={kubectl.kubeconfig}",
            *("get", "jobs", "--watch", "--output", "name", *selector),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(0.5)  # the watch should stand before there is something to see
    patience = threading.Timer(PATIENCE_SECONDS, watch.kill)
    patience.start()
    try:
        begin = time.perf_counter()
        kubectl.apply(run(name))
        seen = watch.stdout.readline() if watch.stdout else b""
        if f"job.batch/{name}-".encode() not in seen:
            raise RuntimeError(f"instead of the Job of {name} the watch showed {seen!r}")
        return time.perf_counter() - begin
    finally:
        patience.cancel()
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
