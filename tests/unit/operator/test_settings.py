"""Settings come from the environment."""

from typing import get_args

from proctor_crds.evaluation_run import Harness
from proctor_operator.settings import Settings


def test_without_variables_the_images_are_of_this_version() -> None:
    assert Settings.from_environment({}) == Settings()
    assert Settings().runtime_image.startswith("proctor/runtime:")


def test_images_are_replaced_one_by_one() -> None:
    given = {"RUNTIME_IMAGE": "mine/runtime:1", "HARNESS_LM_EVAL_IMAGE": "mine/lm-eval:2"}
    made = Settings.from_environment(given)
    assert made.runtime_image == "mine/runtime:1"
    assert made.harness_images == Settings().harness_images | {"lm-eval": "mine/lm-eval:2"}


def test_every_harness_of_the_api_has_an_image() -> None:
    assert Settings().harness_images.keys() == set(get_args(Harness))
