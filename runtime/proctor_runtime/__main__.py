"""``python -m proctor_runtime serve ...``, ``fetch ...``, ``resume ...`` and ``keep ...``.

The first two are the serving pod's processes, the others keep an evaluation's artifacts.
"""

import logging
import os
import sys
import traceback
import warnings
from collections.abc import Sequence

from proctor_crds.reasons import Reason
from proctor_crds.wire import EXIT_REJECTED, EXIT_RETRYABLE
from proctor_runtime import libraries
from proctor_runtime.artifacts.settings import ArtifactsSettings
from proctor_runtime.failure import RejectedError, report
from proctor_runtime.settings import Settings, parse
from proctor_runtime.sources.protocol import UnreachableError
from proctor_runtime.sources.settings import FetchSettings


def main(arguments: Sequence[str] | None = None) -> int:
    """Do as told; return the exit code."""
    settings = parse(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for chatty in ("pytriton", "megatron", "httpx", "transformers", "botocore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # Megatron-Core says at import what it would be faster with; here it is chosen to be without.
    warnings.filterwarnings("ignore", module=r"megatron\.")
    try:
        run(settings)
    except RejectedError as error:
        print(f"error: {error.reason}: {error}", file=sys.stderr)
        report(error.reason, str(error))
        return EXIT_REJECTED
    except UnreachableError as error:
        print(f"error: {error.reason}: {error}", file=sys.stderr)
        report(error.reason, str(error))
        return EXIT_RETRYABLE
    except Exception as error:
        traceback.print_exc()
        report(Reason.RUNTIME_CRASHED, f"{type(error).__name__}: {error}")
        return 1
    return 0


def run(settings: Settings | FetchSettings | ArtifactsSettings) -> None:
    """Do one thing, importing no more than that takes."""
    if isinstance(settings, FetchSettings):
        from proctor_runtime.sources.fetch import fetch  # noqa: PLC0415

        fetch(settings)
        return
    if isinstance(settings, ArtifactsSettings):
        from proctor_runtime.artifacts.run import run as with_artifacts  # noqa: PLC0415

        with_artifacts(settings)
        return
    libraries.prepare(os.environ)
    from proctor_runtime.serve import serve  # noqa: PLC0415 - a wrong argument need not wait for it

    serve(settings)


if __name__ == "__main__":
    sys.exit(main())
