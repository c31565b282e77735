"""A small evaluation of each harness: two of a scripted model, the others of the served one."""

from typing import Any

from tests.e2e.mirror.answers import PROBLEMS
from tests.examples import Manifest, deployment, run
from tests.runtime.harness.packages.hub import Repositories, dataset
from tests.runtime.harness.packages.test_bigcode import problem
from tests.runtime.harness.packages.test_safety_harness import tokenizer, wildguard
from tests.runtime.harness.packages.test_simple_evals import gpqa

RUNS = SERVED, SCRIPTED = "of-served", "of-scripted"
QUESTIONS = 6
CHAT = {"endpointType": "chat"}
GREEDY = {"parallelism": 2, "maxNewTokens": 16, "temperature": "0"}
FEW = {"params": {**GREEDY, "limitSamples": QUESTIONS}}
JUDGED = {**CHAT, **FEW, "tasks": ["wildguard"], "judgeRef": {"name": "judge"}}
OF_SERVED: dict[str, Manifest] = {
    "lm-eval": {
        "tasks": ["arithmetic_mc"],
        "params": {"limitSamples": QUESTIONS, "parallelism": 2},
        "datasets": {"pvc": {"claimName": "arithmetic", "path": "tasks"}},
    },
    "bfcl": {
        **CHAT,
        "tasks": ["simple", "irrelevance"],
        "params": {"limitSamples": QUESTIONS, "parallelism": 2, "extra": {"nativeCalling": "true"}},
    },
    "garak": {
        **CHAT,
        "tasks": ["goodside.WhoIsRiley"],
        "params": {**GREEDY, "extra": {"generations": "1"}},
    },
    "safety-harness": JUDGED,
    "container": {**JUDGED, "image": "proctor/harness-safety-harness:0.1.0"},
}
OF_SCRIPTED: dict[str, Manifest] = {
    "bigcode": {"tasks": ["humaneval"], "params": {"limitSamples": PROBLEMS, "parallelism": 4}},
    "simple-evals": {
        **CHAT,
        "tasks": ["gpqa_diamond"],
        "params": {"limitSamples": QUESTIONS, "parallelism": 2},
    },
}
RUN_OF = {
    **dict.fromkeys(OF_SERVED, SERVED),
    **dict.fromkeys(OF_SCRIPTED, SCRIPTED),
}


def runs(mirror: str) -> list[Manifest]:
    """Both; each harness is an evaluation of its own name."""
    deployed = {"deploymentRef": {"name": "harnesses"}}
    key = {"apiKeySecretRef": {"name": "planted", "key": "token"}}
    scripted = {"endpoint": {"url": mirror, "model": "scripted", **key}}
    return [
        of(SERVED, deployed, OF_SERVED, mirror),
        of(SCRIPTED, scripted, OF_SCRIPTED, mirror),
    ]


# The model goes on with the sum that the template begins. With the tokenizer's own template it
# answers with a number, and where all answers are numbers the safety harness reads no text.
TEMPLATE = "{% for message in messages %}{{ message['content'] + '\\n' }}{% endfor %}3"


def served() -> Manifest:
    """The example's model for chats of any kind, which it answers with sums."""
    model = deployment()["spec"]["model"] | {"chatTemplate": TEMPLATE}
    engine = {"dtype": "float32", "maxBatchSize": 64, "maxSequenceLength": 2048}
    api = {"toolCallParser": "hermes"}
    return deployment("harnesses", model=model, engine=engine, api=api)


def of(name: str, target: Manifest, asked: dict[str, Manifest], mirror: str) -> Manifest:
    """A run; what has no data of its own takes it from the mirror."""
    hub = {"datasets": {"hub": {"endpoint": mirror}}}
    evaluations = [{"name": h, "harness": h, **hub, **fields} for h, fields in asked.items()]
    artifacts = {"pvc": {"claimName": "arithmetic", "path": "artifacts"}}
    spec: dict[str, Any] = {"target": target, "evaluations": evaluations, "artifacts": artifacts}
    return run(name, **spec, gate=None)


def repositories() -> Repositories:
    """What the mirror has, in each dataset's format."""
    guard = dataset({"test": list(map(asked_for, range(1725)))}, "wildguardtest")
    return {
        "openai/openai_humaneval": dataset({"test": list(map(problem, range(PROBLEMS)))}),
        "Idavidrein/gpqa": dataset({"train": list(map(gpqa, range(QUESTIONS)))}, "gpqa_diamond"),
        "allenai/wildguardmix": guard,
        "meta-llama/Llama-3.1-8B-Instruct": tokenizer(),
    }


def asked_for(number: int) -> dict[str, Any]:
    """A prompt of WildGuardTest; the judge finds every third harmful, whatever is answered."""
    return wildguard(number) | {"prompt": f"ask {number} {'BAD' if number % 3 == 0 else ''}"}
