"""A harness that does what `params.extra` of its RUN_SPEC says: sleep, say, exit."""

import json
import os
import sys
import time
from pathlib import Path

SCORE = {"task": "t", "metric": "acc", "value": "0.75", "stderr": "0.03", "n": 200}


def main() -> None:
    """Sleep for `sleep` seconds, write `message`, end with `exit`."""
    extra = json.loads(os.environ["RUN_SPEC"])["params"].get("extra", {})
    time.sleep(float(extra.get("sleep", "0")))
    message = extra.get("message") or json.dumps({"results": [SCORE], "requests": 200})
    Path(os.environ["TERMINATION_MESSAGE_PATH"]).write_text(message)
    sys.exit(int(extra.get("exit", "0")))


main()
