"""Several pods ask an evaluation's questions together, for real, and its scores are the same."""

import asyncio
import json
import os
import signal
from contextlib import suppress
from pathlib import Path

from proctor_cli.local import LocalCluster
from proctor_operator.cluster import Manifest
from tests.local.cluster.processes import in_whose_environment
from tests.local.real_harness import Seen, cluster, outcome, run, write_tasks
from tests.runtime.harness.model_server import ModelServer, serving

SUMS, TEXTS = 10, 4


async def test_sharded_scores_are_the_unsharded_and_no_question_is_asked_twice(
    tmp_path: Path,
) -> None:
    write_tasks(tmp_path / "tasks", SUMS, TEXTS)
    (tmp_path / "artifacts").mkdir()
    volumes = {"tasks": tmp_path / "tasks", "artifacts": tmp_path / "artifacts"}
    # Examples in a prompt are drawn in the order of the samples.
    params = {"parallelism": 2, "temperature": "0", "fewShot": 2}
    given = {"tasks": ["sum_mc", "sum_gen"], "params": params}
    found, questions = {}, SUMS * 4
    with serving(ModelServer()) as model:
        async with cluster(tmp_path, volumes) as local:
            for name, shards in (("whole", 1), ("shared", 3)):
                model.seen = Seen()
                await local.apply(run(name, model.url, **given, shards=shards))
                ended = await outcome(local, name)
                assert "failure" not in ended, ended["failure"]
                found[name] = ended
                asked = model.seen.questions()
                assert len(asked) == len(set(asked)) == questions
                assert ended["progress"] == {"done": questions, "total": questions}
    assert found["shared"]["results"] == found["whole"]["results"]
    shares = [
        (tmp_path / "artifacts/shared/sums/shards" / str(shard) / "requests.jsonl").read_text()
        for shard in range(3)
    ]
    assert all(len(share.splitlines()) > questions / 5 for share in shares)


async def test_a_shard_that_is_killed_is_waited_for_and_no_answer_counts_twice(
    tmp_path: Path,
) -> None:
    """Of a group of tasks, whose score is made of all their samples."""
    write_tasks(tmp_path / "tasks", SUMS, TEXTS)
    (tmp_path / "artifacts").mkdir()
    volumes = {"tasks": tmp_path / "tasks", "artifacts": tmp_path / "artifacts"}
    questions = SUMS * 3 + TEXTS
    with serving(ModelServer()) as model:
        async with cluster(tmp_path, volumes) as local:
            await local.apply(run("whole", model.url, tasks=["sums"]))
            expected = await outcome(local, "whole")
            model.seen, model.delay_seconds = Seen(), 0.3
            await local.apply(run("killed", model.url, tasks=["sums"], shards=3))
            async with asyncio.timeout(400):
                while len(model.seen) < questions // 3:  # noqa: ASYNC110  the server tells nobody
                    await asyncio.sleep(0.02)
            kill_shard(tmp_path / "state", 0)
            assert (await made_before_the_score(local))["completedIndexes"] == "0-2"
            found = await outcome(local, "killed")
    assert found["results"] == expected["results"]
    assert found["progress"] == {"done": questions, "total": questions}
    assert len(set(model.seen.questions())) == questions
    log = (tmp_path / "artifacts/killed/sums/requests.jsonl").read_text().splitlines()
    scored = [line for line in map(json.loads, log) if line["status"] == 200]
    assert sum(line["items"] for line in scored if line.get("cached")) == questions


def kill_shard(state: Path, shard: int) -> None:
    """SIGKILL the harness and the adapter of one of the pods that ask."""
    ours = in_whose_environment(f"TERMINATION_MESSAGE_PATH={state}")
    victims = ours & in_whose_environment(f"SHARD_INDEX={shard}")
    assert len(victims) >= 2
    for pid in victims:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


async def made_before_the_score(local: LocalCluster) -> Manifest:
    """The status of the Job that asks, at the moment at which there is one that scores."""
    async with asyncio.timeout(300):
        while True:
            jobs = [
                job
                for job in await local.list("batch/v1", "Job", "default", {})
                if job["metadata"]["name"].startswith("killed")
            ]
            if len(jobs) == 2:
                [asking] = [job for job in jobs if job["spec"]["completions"] == 3]
                status: Manifest = asking["status"]
                return status
            await asyncio.sleep(0.02)
