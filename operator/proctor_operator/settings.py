"""The operator's configuration, read once from the environment at the edge."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from proctor_crds.evaluation_run import Harness

VERSION = "0.1.0"


@dataclass(frozen=True, slots=True)
class Settings:
    """What one operator does differently from another."""

    progress_seconds: float = 5
    """Between two looks at a pod: at an evaluation's progress, at a server that said nothing."""
    runtime_image: str = f"proctor/runtime:{VERSION}"
    harness_images: Mapping[str, str] = field(
        default_factory=lambda: {
            name: f"proctor/harness-{name}:{VERSION}" for name in get_args(Harness)
        }
    )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Settings":
        """Settings from `RUNTIME_IMAGE` and `HARNESS_<NAME>_IMAGE`."""
        default = cls()
        harness_images = {
            name: environment.get(f"HARNESS_{name.upper().replace('-', '_')}_IMAGE", image)
            for name, image in default.harness_images.items()
        }
        return cls(
            runtime_image=environment.get("RUNTIME_IMAGE", default.runtime_image),
            harness_images=harness_images,
        )
