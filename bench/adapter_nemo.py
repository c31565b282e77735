"""`adapter_nemo.py PORT URL DIRECTORY CONFIG`: NeMo Evaluator's adapter, in its own environment.

Not part of Proctor's environment: it is run by the interpreter of a virtual environment that has
nemo-evaluator and nothing of ours.
"""

import json
import sys

from nemo_evaluator.adapters.adapter_config import AdapterConfig
from nemo_evaluator.adapters.server import _run_adapter_server

if __name__ == "__main__":
    port, url, directory, config = sys.argv[1:]
    endpoint = {"adapter_config": json.loads(config)}
    run = {"target": {"api_endpoint": endpoint}, "config": {"output_dir": directory}}
    validated = AdapterConfig.get_validated_config(run)
    _run_adapter_server(url, directory, validated, int(port))
