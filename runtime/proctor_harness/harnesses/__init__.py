"""The harnesses, one module each.

To add one: a module like `bfcl`, a line here, its tasks in `proctor_crds/tasks`, a golden test.
"""

from proctor_harness.harnesses import (
    bfcl,
    bigcode,
    container,
    garak,
    lm_eval,
    safety_harness,
    simple_evals,
)
from proctor_harness.harnesses.protocol import Harness

HARNESSES: dict[str, Harness] = {
    "lm-eval": lm_eval,
    "bfcl": bfcl,
    "garak": garak,
    "bigcode": bigcode,
    "simple-evals": simple_evals,
    "safety-harness": safety_harness,
    "container": container,
}
