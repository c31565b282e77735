"""What `helm install` would send."""

from collections.abc import Callable

import yaml

from proctor_operator.settings import Settings
from tests.contract.chart.conftest import CHART, ROOT, Manifest, Render, one


def container(manifests: list[Manifest]) -> Manifest:
    (found,) = one(manifests, "Deployment")["spec"]["template"]["spec"]["containers"]
    return dict(found)


def environment(manifests: list[Manifest]) -> dict[str, str]:
    return {v["name"]: v["value"] for v in container(manifests)["env"]}


def test_lint_finds_nothing(helm: Callable[..., str]) -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART))


def test_names_the_images_that_the_operator_would_choose_by_itself(render: Render) -> None:
    manifests = render()
    assert container(manifests)["image"] == "proctor/operator:0.1.0"
    assert Settings.from_environment(environment(manifests)) == Settings()


def test_a_namespace_is_text_whatever_yaml_would_make_of_it(helm: Callable[..., str]) -> None:
    watched = ("--set-json", 'watchNamespaces=["123","on"]')
    rendered = helm("template", "proctor", str(CHART), "--namespace", "2024", *watched)
    manifests = [found for found in yaml.safe_load_all(rendered) if found]
    namespaces = {m["metadata"].get("namespace", "2024") for m in manifests}
    subjects = {s["namespace"] for m in manifests for s in m.get("subjects", ())}
    assert (namespaces, subjects) == ({"2024", "123", "on"}, {"2024"})


def test_registry_tag_and_digest(render: Render) -> None:
    digest = "sha256:" + "0" * 64
    manifests = render(
        'images.registry="mirror.test:5000/all"',
        'images.tag="1"',
        'images.runtime.tag="2"',
        f'images.harnessLmEval.digest="{digest}"',
    )
    settings = Settings.from_environment(environment(manifests))
    assert container(manifests)["image"] == "mirror.test:5000/all/proctor/operator:1"
    assert settings.runtime_image == "mirror.test:5000/all/proctor/runtime:2"
    harness = f"mirror.test:5000/all/proctor/harness-lm-eval@{digest}"
    assert settings.harness_images["lm-eval"] == harness
    assert settings.harness_images["bfcl"] == "mirror.test:5000/all/proctor/harness-bfcl:1"


def test_carries_the_generated_crds(render: Render) -> None:
    source = [yaml.safe_load(p.read_text()) for p in (ROOT / "crds").glob("*.yaml")]
    rendered = [m for m in render() if m["kind"] == "CustomResourceDefinition"]
    assert len(rendered) == len(source) > 0
    for crd in source:
        found = one(rendered, "CustomResourceDefinition", crd["metadata"]["name"])
        assert found["spec"] == crd["spec"]
        assert found["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_leaves_the_crds_out(render: Render) -> None:
    kinds = {m["kind"] for m in render("crds.install=false")}
    assert "CustomResourceDefinition" not in kinds


def test_upgrades_while_the_old_pod_still_leads(render: Render) -> None:
    spec = one(render(), "Deployment")["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert "topologySpreadConstraints" not in spec["template"]["spec"]


def test_replicas_are_spread_over_nodes_and_share_a_lease(render: Render) -> None:
    manifests = render("replicas=2", release="second")
    spec = one(manifests, "Deployment")["spec"]
    assert spec["replicas"] == 2
    (spread,) = spec["template"]["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"] == spec["selector"]
    assert environment(manifests)["LEASE"] == "ops/second-proctor"


def test_metrics_are_where_the_monitor_looks(render: Render) -> None:
    assert "PodMonitor" not in {m["kind"] for m in render()}
    manifests = render(
        "metrics.podMonitor.create=true", 'metrics.podMonitor.labels={"release":"prometheus"}'
    )
    monitor = one(manifests, "PodMonitor")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    ports = {port["name"]: str(port["containerPort"]) for port in container(manifests)["ports"]}
    assert ports[endpoint["port"]] == environment(manifests)["METRICS_PORT"]
    assert ports["probes"] == environment(manifests)["LIVENESS_PORT"]
    labels = one(manifests, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_two_releases_share_no_object_but_the_crds(render: Render) -> None:
    def names(manifests: list[Manifest]) -> set[tuple[str, str, str]]:
        metas = [(m["kind"], m["metadata"]) for m in manifests]
        return {(kind, meta.get("namespace", ""), meta["name"]) for kind, meta in metas}

    shared = names(render(release="a")) & names(render(release="b"))
    assert {kind for kind, _, _ in shared} == {"CustomResourceDefinition"}


def test_restricts_the_operators_traffic(render: Render) -> None:
    manifests = render(
        'watchNamespaces=["team-a"]', 'networkPolicy.apiServer.cidrs=["10.0.0.1/32"]'
    )
    spec = one(manifests, "NetworkPolicy")["spec"]
    labels = one(manifests, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert spec["podSelector"]["matchLabels"].items() <= labels.items()
    assert spec["ingress"] == [{"ports": [{"port": 8081}, {"port": 8080}]}]
    _, api_server, *pods = spec["egress"]
    assert api_server["to"] == [{"ipBlock": {"cidr": "10.0.0.1/32"}}]
    watched = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["team-a"]}
    assert [p["to"][0]["namespaceSelector"]["matchExpressions"] for p in pods] == [[watched]] * 2
