"""What the scripted model says: functions of one line for HumanEval, letters for GPQA."""

from typing import Any

ESCAPES = {
    "network": "__import__('socket').create_connection(('127.0.0.1', 9100), 5)",
    "process": "__import__('subprocess').run(['true'], check=True)",
    "other": "open('/proc/1/environ').read()",
    "artifacts": "open('/artifacts/escaped', 'w').write('x')",
    "scratch": "open('/tmp/escaped', 'w').write('x')",
    "token": "open('/var/run/secrets/kubernetes.io/serviceaccount/token').read()",
    "variables": "__import__('os').environ['RUN_SPEC']",
}
"""Statements that fail in the sandbox; a function with one of them is right where it succeeds."""
HONEST, WRONG = 3, 1
"""HumanEval's problems: these first, then one for each escape."""
PROBLEMS = HONEST + WRONG + len(ESCAPES)


def answer(prompt: str, _: dict[str, Any]) -> str:
    """Know the whole of it, but for one problem of HumanEval and GPQA's odd questions."""
    if "right" in prompt:
        return choice(prompt)
    number = int(prompt.partition("def plus")[2].partition("(")[0])
    return f"\n    {first_line(number)}\n    return a + {number}\n"


def first_line(number: int) -> str:
    """What the function does before it is right."""
    if number < HONEST:
        return "pass"
    if number < HONEST + WRONG:
        return "return None"
    return list(ESCAPES.values())[number - HONEST - WRONG]


def choice(prompt: str) -> str:
    """The letter of the right answer, or of none where the question's number is odd."""
    [line] = [line for line in prompt.splitlines() if ") right" in line]
    odd = int(line.partition("right")[2]) % 2
    return "Answer: none" if odd else f"Answer: {line[0]}"
