"""Programs for a container of an evaluation's pod; each prints JSON."""

SURROUNDINGS = """
import errno, json, os
from pathlib import Path

def root():
    try:
        Path("/escaped").write_text("x")
    except OSError as error:
        return errno.errorcode[error.errno]
    return "writable"

status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(json.dumps({
    "of_run": Path("/artifacts").exists(),
    "token": Path("/var/run/secrets/kubernetes.io").exists(),
    "variables": "|".join(os.environ.values()),
    "root": root(),
    "capabilities": int(status["CapEff"], 16),
}))
"""
EXECUTED = """
import json, sys

def error(statement):
    try:
        exec(statement)
    except Exception as error:
        return repr(error)

print(json.dumps({name: error(each) for name, each in json.loads(sys.argv[1]).items()}))
"""
SANDBOXED = """
import json, os, sys
from proctor_harness.sandbox import client

port = int(os.environ["PORT_SANDBOX"])
assert client.refusal(port) is None
asked = json.loads(sys.argv[1]).items()
print(json.dumps({name: client.execute(port, each, 20) for name, each in asked}))
"""
