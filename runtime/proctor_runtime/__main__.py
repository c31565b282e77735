"""``python -m proctor_runtime serve ...``: the serving pod's process."""

import logging
import sys
import traceback
import warnings
from collections.abc import Sequence

from proctor_crds.reasons import Reason
from proctor_crds.wire import EXIT_REJECTED
from proctor_runtime.failure import RejectedError, report
from proctor_runtime.settings import parse


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve; return the exit code."""
    settings = parse(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for chatty in ("pytriton", "megatron", "httpx", "transformers"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # Megatron-Core says at import what it would be faster with; here it is chosen to be without.
    warnings.filterwarnings("ignore", module=r"megatron\.")
    from proctor_runtime.serve import serve  # noqa: PLC0415 - a wrong argument need not wait for it

    try:
        serve(settings)
    except RejectedError as error:
        print(f"error: {error.reason}: {error}", file=sys.stderr)
        report(error.reason, str(error))
        return EXIT_REJECTED
    except Exception as error:
        traceback.print_exc()
        report(Reason.RUNTIME_CRASHED, f"{type(error).__name__}: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
