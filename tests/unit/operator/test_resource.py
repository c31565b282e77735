"""A stored object as a typed resource."""

import pytest

from proctor_crds.kinds import EVALUATION_RUN, MODEL_DEPLOYMENT
from proctor_crds.validation import SpecInvalidError
from proctor_operator.cluster import Ref
from proctor_operator.resource import parsed, unparsed
from tests.builders import deployment_manifest, make_run, run_manifest


def test_metadata_and_status_are_read_before_the_spec_is() -> None:
    found = unparsed(run_manifest(generation=4, status={"score": "1"}) | {"spec": "broken"})
    assert (found.generation, found.status, found.spec) == (4, {"score": "1"}, "broken")


def test_a_resource_without_status_has_an_empty_one() -> None:
    assert unparsed(run_manifest() | {"status": None}).status == {}


def test_a_spec_is_typed_once() -> None:
    assert make_run().spec.evaluations[0].params.max_retries == 5


def test_a_spec_that_is_none_is_invalid() -> None:
    with pytest.raises(SpecInvalidError, match="spec"):
        parsed(unparsed(run_manifest() | {"spec": None}), EVALUATION_RUN)


def test_a_name_that_cannot_be_a_service_is_invalid() -> None:
    with pytest.raises(SpecInvalidError, match=r"metadata\.name"):
        parsed(unparsed(deployment_manifest("1st")), MODEL_DEPLOYMENT)


def test_an_identity_names_the_resource_and_nothing_else() -> None:
    run = make_run()
    assert run.ref == Ref("proctor.dev/v1alpha1", "EvaluationRun", "team", "run")
    assert run.identity() == {
        "apiVersion": "proctor.dev/v1alpha1",
        "kind": "EvaluationRun",
        "metadata": {"name": "run", "namespace": "team", "uid": "uid-of-run"},
    }
