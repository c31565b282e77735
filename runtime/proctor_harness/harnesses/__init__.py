"""The harnesses, one module each.

To add one: a module like `lm_eval`, a line here, a golden test.
"""

from proctor_harness.harnesses import lm_eval
from proctor_harness.harnesses.protocol import Harness

HARNESSES: dict[str, Harness] = {"lm-eval": lm_eval}
