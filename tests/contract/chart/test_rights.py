"""The operator's rights: what it uses, and no more."""

from typing import Any

import pytest

from proctor_operator.kubernetes_cluster import plural
from tests.contract.chart.conftest import Manifest, Render, one
from tests.contract.operator.golden import CASES, children

READ = {"get", "list", "watch"}
OWNED = READ | {"create", "patch", "delete"}
EXPECTED = {
    "modeldeployments": READ,
    "modeldeployments/status": {"get", "patch"},
    "modeldeployments/finalizers": {"update"},
    "evaluationruns": READ | {"delete"},
    "evaluationruns/status": {"get", "patch"},
    "evaluationruns/finalizers": {"update"},
    "deployments": OWNED,
    "jobs": OWNED,
    "services": OWNED,
    "pods": READ,
    "events": {"create"},
}


def verbs(role: Manifest) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for rule in role["rules"]:
        for resource in rule["resources"]:
            found[resource] = found.get(resource, set()) | set(rule["verbs"])
    return found


def operators_roles(manifests: list[Manifest]) -> list[Manifest]:
    """What it may do to the objects that it watches."""
    aggregated = "rbac.authorization.k8s.io/aggregate-to-"
    roles = [
        m for m in manifests if m["kind"] in ("Role", "ClusterRole") and "leases" not in verbs(m)
    ]
    return [r for r in roles if not any(k.startswith(aggregated) for k in r["metadata"]["labels"])]


def bound_account(binding: Manifest) -> tuple[Any, Any]:
    (subject,) = binding["subjects"]
    return subject["name"], subject["namespace"]


def test_everywhere(render: Render) -> None:
    manifests = render()
    (role,) = operators_roles(manifests)
    assert role["kind"] == "ClusterRole"
    assert verbs(role) == EXPECTED | {"customresourcedefinitions": {"list", "watch"}}
    binding = one(manifests, "ClusterRoleBinding")
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert bound_account(binding) == ("proctor", "ops")


def test_in_some_namespaces(render: Render) -> None:
    manifests = render('watchNamespaces=["team-a","team-b"]')
    roles = operators_roles(manifests)
    assert {r["metadata"]["namespace"] for r in roles} == {"team-a", "team-b"}
    assert [verbs(r) for r in roles] == [EXPECTED] * 2
    names = {role["metadata"]["name"] for role in roles}
    bindings = [
        m for m in manifests if m["kind"] == "RoleBinding" and m["roleRef"]["name"] in names
    ]
    assert [b["metadata"]["namespace"] for b in bindings] == ["team-a", "team-b"]
    assert {bound_account(b) for b in bindings} == {("proctor", "ops")}


@pytest.mark.parametrize("values", [[], ['watchNamespaces=["team-a"]']], ids=["all", "some"])
def test_the_one_lease_of_its_own_namespace(render: Render, values: list[str]) -> None:
    manifests = render(*values)
    role = one(manifests, "Role", "proctor-leases")
    create, use = role["rules"]
    assert create["verbs"] == ["create"]
    assert (use["resourceNames"], set(use["verbs"])) == (["proctor"], {"get", "update"})
    assert verbs(role).keys() == {"leases"}
    binding = one(manifests, "RoleBinding", "proctor-leases")
    assert {found["metadata"]["namespace"] for found in (role, binding)} == {"ops"}
    assert binding["roleRef"]["name"] == "proctor-leases"
    assert bound_account(binding) == ("proctor", "ops")
    (pod,) = one(manifests, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert {"name": "LEASE", "value": "ops/proctor"} in pod["env"]


def test_no_wildcard_and_no_secret(render: Render) -> None:
    for values in ([], ['watchNamespaces=["team-a"]']):
        for role in (m for m in render(*values) if m["kind"] in ("Role", "ClusterRole")):
            words = [w for rule in role["rules"] for words in rule.values() for w in words]
            assert "*" not in words
            assert "secrets" not in words


def test_every_kind_that_the_operator_makes_is_granted() -> None:
    made = {plural(child["kind"]) for case in CASES for child in children(case)}
    assert made == {name for name, granted in EXPECTED.items() if granted == OWNED}


def test_view_and_edit_cover_our_kinds(render: Render) -> None:
    manifests = render()
    view = one(manifests, "ClusterRole", "ops:proctor-view")
    edit = one(manifests, "ClusterRole", "ops:proctor-edit")
    assert set(verbs(view)) == {"modeldeployments", "evaluationruns"}
    assert view["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-view"] == "true"
    assert edit["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-edit"] == "true"
    assert {w for words in verbs(view).values() for w in words} == READ


def test_nothing_is_cluster_wide_where_an_administrator_prepared_it(render: Render) -> None:
    manifests = render('watchNamespaces=["ops"]', "crds.install=false", "rbac.aggregate=false")
    assert all("namespace" in m["metadata"] for m in manifests)
