"""What a Job's spec says of a finished pod. Pure."""

from typing import Literal, NamedTuple

from proctor_operator.cluster import Manifest


class Verdict(NamedTuple):
    """What to do about a failed pod."""

    action: Literal["Count", "Ignore", "FailJob"]
    message: str = ""


def verdict(job: Manifest, pod: Manifest) -> Verdict:
    """The first rule of podFailurePolicy that matches, else `Count`."""
    rules = job["spec"].get("podFailurePolicy", {}).get("rules", [])
    for index, rule in enumerate(rules):
        if matched := _matched(rule, pod):
            message = f"{matched} matching {rule['action']} rule at index {index}"
            return Verdict(rule["action"], message)
    return Verdict("Count")


def _matched(rule: Manifest, pod: Manifest) -> str | None:
    """What in the pod the rule speaks of, in the Job controller's words."""
    if "onExitCodes" in rule:
        return _exit_code(rule["onExitCodes"], pod)
    return _pod_condition(rule.get("onPodConditions", []), pod)


def _exit_code(rule: Manifest, pod: Manifest) -> str | None:
    status = pod.get("status", {})
    statuses = [*status.get("containerStatuses", []), *status.get("initContainerStatuses", [])]
    for each in statuses:
        ended = each["state"].get("terminated")
        if ended is None or ended["exitCode"] == 0:
            continue
        if rule.get("containerName", each["name"]) != each["name"]:
            continue
        if (ended["exitCode"] in rule["values"]) == (rule["operator"] == "In"):
            where = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
            code = ended["exitCode"]
            return f"Container {each['name']} for pod {where} failed with exit code {code}"
    return None


def _pod_condition(patterns: list[Manifest], pod: Manifest) -> str | None:
    conditions = pod.get("status", {}).get("conditions", [])
    for pattern in patterns:
        for each in conditions:
            wanted = (pattern["type"], pattern.get("status", "True"))
            if (each["type"], each["status"]) == wanted:
                where = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
                return f"Pod {where} has condition {each['type']}"
    return None
