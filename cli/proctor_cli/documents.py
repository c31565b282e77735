"""YAML files as the apiserver would take them: split, defaulted in namespace, and validated."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from proctor_cli import tasks
from proctor_crds.common import API_VERSION
from proctor_crds.evaluation_run import EvaluationRunSpec
from proctor_crds.kinds import KINDS
from proctor_crds.validation import SpecInvalidError, check_name, did_you_mean, parse
from proctor_operator.cluster import Manifest

NAMESPACE = "default"


class DocumentsInvalidError(Exception):
    """Some document cannot be applied; one line each."""


@dataclass(frozen=True, slots=True)
class Documents:
    """Proctor's own resources, and the objects that they refer to."""

    resources: list[Manifest] = field(default_factory=list)
    others: list[Manifest] = field(default_factory=list)

    def of_kind(self, kind: str) -> list[Manifest]:
        """The resources of one kind."""
        return [manifest for manifest in self.resources if manifest["kind"] == kind]


def load(paths: Iterable[Path]) -> Documents:
    """Every document of the files. Raises DocumentsInvalidError naming file, field and remedy."""
    found, problems = Documents(), []
    for path in paths:
        try:
            for manifest in read(path):
                own = manifest["apiVersion"].startswith("proctor.dev/")
                check(manifest) if own else None
                (found.resources if own else found.others).append(manifest)
        except SpecInvalidError as error:
            problems += [f"{path}: {problem}" for problem in error.problems]
        except (OSError, ValueError, yaml.YAMLError) as error:
            problems.append(f"{path}: {error}")
    if problems:
        raise DocumentsInvalidError("\n".join(problems))
    return found


def read(path: Path) -> Iterator[Manifest]:
    """The documents of one file, each with a namespace."""
    for document in yaml.safe_load_all(path.read_text()):
        if document is None:
            continue
        if not isinstance(document, dict) or not {"apiVersion", "kind", "metadata"} <= set(
            document
        ):
            raise ValueError("not a Kubernetes object: apiVersion, kind and metadata are required")
        if not document["metadata"].get("name"):
            raise ValueError(f"{document['kind']}: metadata.name is required")
        meta = {"namespace": NAMESPACE, **document["metadata"]}
        yield {**document, "metadata": meta}


def check(manifest: Manifest) -> None:
    """Raises where the apiserver or the harness would refuse one of Proctor's resources."""
    kind = manifest["kind"]
    if manifest["apiVersion"] != API_VERSION:
        raise ValueError(f"apiVersion {manifest['apiVersion']}: this version knows {API_VERSION}")
    if kind not in KINDS:
        known = sorted(KINDS)
        raise ValueError(f"kind {kind}{did_you_mean(kind, known)}; known: {', '.join(known)}")
    check_name(manifest["metadata"]["name"])
    spec = parse(KINDS[kind].spec, manifest.get("spec") or {})
    if isinstance(spec, EvaluationRunSpec) and (unknown := list(tasks.problems(spec))):
        raise SpecInvalidError(unknown)
