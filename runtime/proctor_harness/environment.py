"""What the pod tells the driver."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from proctor_crds.reasons import Reason
from proctor_crds.wire import RunSpec, shard_folder
from proctor_harness.failures import RunError
from proctor_harness.harnesses.protocol import Workspace


@dataclass(frozen=True, slots=True)
class Environment:
    """The pod's environment, parsed."""

    run: RunSpec
    artifacts: Path
    workspace: Workspace
    child: dict[str, str]
    """The environment of the harness's processes."""
    store_url: str | None = None
    """Who stores the artifacts, where they do not lie on a volume that is kept."""
    """Bytes that the kubelet keeps of the last words."""

    def at(self, repeat: int) -> "Environment":
        """The same, for one repeat of the evaluation, with a directory of its own."""
        if self.run.repeats == 1:
            return self
        folder = self.workspace.output_dir / f"repeat-{repeat}"
        folder.mkdir(exist_ok=True)
        workspace = replace(self.workspace, output_dir=folder)
        return replace(self, run=self.run.at(repeat), workspace=workspace)


def parse(environ: Mapping[str, str]) -> Environment:
    """Read the environment; a `RUN_SPEC` that is wrong is the user's to correct."""
    try:
        run = RunSpec.model_validate_json(environ["RUN_SPEC"])
    except ValidationError as error:
        raise RunError(Reason.PARAMETER_INVALID, _explain(error)) from error
    artifacts = Path(environ["MOUNT_ARTIFACTS"])
    if run.shards > 1:
        run = run.model_copy(update={"shard": int(environ["SHARD_INDEX"])})
        artifacts = shard_folder(artifacts, run.shard)
        artifacts.mkdir(parents=True, exist_ok=True)
    datasets = environ.get("MOUNT_DATASETS")
    workspace = Workspace(
        base_url=environ["BASE_URL"].rstrip("/"),
        output_dir=artifacts / run.harness,
        datasets=Path(datasets) if datasets else None,
        judge_url=environ["JUDGE_URL"].rstrip("/") if "JUDGE_URL" in environ else None,
    )
    child = _child(environ, artifacts)
    return Environment(run, artifacts, workspace, child, environ.get("STORE_URL"))


def _child(environ: Mapping[str, str], artifacts: Path) -> dict[str, str]:
    """Keep every cache out of the read-only mounts."""
    caches = Path(environ.get("HOME", artifacts)) / ".cache"
    defaults = {
        "HF_HOME": str(caches / "huggingface"),
        "LM_HARNESS_CACHE_PATH": str(caches / "lm-eval"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
        # Else what a harness draws from a set differs between a pod and the one that resumes it.
        "PYTHONHASHSEED": "0",
    }
    return defaults | dict(environ)


def _explain(error: ValidationError) -> str:
    problems = [
        f"{'.'.join(map(str, detail['loc'])) or 'RUN_SPEC'}={detail['input']!r}: {detail['msg']}"
        for detail in error.errors(include_url=False)
    ]
    return "; ".join(problems)
