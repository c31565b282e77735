"""The API that an evaluation asks."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from proctor_crds.common import SecretKeyRef
from proctor_crds.evaluation_run import Evaluation


@dataclass(frozen=True, slots=True)
class Upstream:
    """The API that the adapter forwards to."""

    url: str
    model: str
    identity: str = ""
    """Stands for all of the target that scores depend on: another identity, another Job."""
    uid: str = ""
    """The target's own, where it is an object: one that is made anew may be another model."""
    context_length: int | None = None
    api_key: SecretKeyRef | None = None
    judges: Mapping[str, "Upstream"] = field(default_factory=dict)
    """Those that judge its answers, by the name of their ModelDeployment."""

    def judge(self, evaluation: Evaluation) -> "Upstream | None":
        """The evaluation's judge, where it has one."""
        return self.judges[evaluation.judge_ref.name] if evaluation.judge_ref else None
