"""The server does not ask who calls, so the network lets in whom a label names, and nobody else."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.deploy.manifests import Manifest, Rendered, selects

CLIENT = {"dagcatalog-client": "true"}
CLIENTS_NAMESPACE = {"dagcatalog-clients": "true"}


def _policies(rendered: Rendered, pod: Manifest, direction: str) -> Iterator[Manifest]:
    for policy in rendered.of_kind("NetworkPolicy"):
        spec = policy["spec"]
        if direction in spec["policyTypes"] and selects(
            spec["podSelector"], pod["metadata"]["labels"]
        ):
            yield spec


def _admits(
    rendered: Rendered,
    pod: Manifest,
    *,
    labels: Mapping[str, str],
    namespace: Mapping[str, str] | None = None,
) -> bool:
    """Whether a pod with these labels may connect; `namespace`: labels of another one than ours."""
    rules = (
        rule for spec in _policies(rendered, pod, "Ingress") for rule in spec.get("ingress", ())
    )
    return any(_takes(peer, labels, namespace) for rule in rules for peer in rule["from"])


def _takes(
    peer: Mapping[str, Any], labels: Mapping[str, str], namespace: Mapping[str, str] | None
) -> bool:
    assert "ipBlock" not in peer
    if "namespaceSelector" in peer:
        near = namespace is not None and selects(peer["namespaceSelector"], namespace)
    else:
        near = namespace is None
    return near and selects(peer.get("podSelector", {}), labels)


def _server(rendered: Rendered) -> Manifest:
    return dict(rendered.pods())["Deployment/dagcatalog"]


def test_every_pod_is_closed_both_ways_unless_a_rule_opens_it(overlay: Rendered) -> None:
    for name, pod in overlay.pods():
        assert list(_policies(overlay, pod, "Ingress")), name
        assert list(_policies(overlay, pod, "Egress")), name


def test_labelled_clients_come_in(overlay: Rendered) -> None:
    server = _server(overlay)
    assert _admits(overlay, server, labels=CLIENT)
    assert _admits(overlay, server, labels=CLIENT, namespace=CLIENTS_NAMESPACE)


def test_strangers_stay_out(overlay: Rendered) -> None:
    server = _server(overlay)
    assert not _admits(overlay, server, labels={})
    assert not _admits(overlay, server, labels={}, namespace=CLIENTS_NAMESPACE)
    assert not _admits(overlay, server, labels=CLIENT, namespace={})


def test_nobody_comes_in_to_a_migration(replicated: Mapping[str, Rendered]) -> None:
    for rendered in replicated.values():
        job = dict(rendered.pods())["Job/dagcatalog-migrate"]
        assert not _admits(rendered, job, labels=CLIENT)


def test_only_the_port_of_the_api_is_open(overlay: Rendered) -> None:
    for spec in _policies(overlay, _server(overlay), "Ingress"):
        for rule in spec.get("ingress", ()):
            assert rule["ports"] == [{"protocol": "TCP", "port": "grpc"}]


def test_with_sqlite_nothing_goes_out(all_rendered: Mapping[str, Rendered]) -> None:
    rendered = all_rendered["sqlite"]
    assert not any("egress" in one for one in _policies(rendered, _server(rendered), "Egress"))


def test_server_and_migration_reach_names_and_database(
    replicated: Mapping[str, Rendered],
) -> None:
    for rendered in replicated.values():
        for _, pod in rendered.pods():
            rules = [
                rule
                for spec in _policies(rendered, pod, "Egress")
                for rule in spec.get("egress", ())
            ]
            ports = {(one["protocol"], one["port"]) for rule in rules for one in rule["ports"]}
            assert ports == {("TCP", 5432), ("TCP", 53), ("UDP", 53)}


def test_services_lead_to_the_server_and_not_to_a_migration(overlay: Rendered) -> None:
    services = overlay.of_kind("Service")
    assert {one["metadata"]["name"] for one in services} == {"dagcatalog", "dagcatalog-headless"}
    for service in services:
        chosen = [
            name
            for name, pod in overlay.pods()
            if selects({"matchLabels": service["spec"]["selector"]}, pod["metadata"]["labels"])
        ]
        assert chosen == ["Deployment/dagcatalog"]


def test_the_headless_service_stands_for_each_ready_replica(overlay: Rendered) -> None:
    headless = overlay.named("Service", "dagcatalog-headless")["spec"]
    assert headless["clusterIP"] == "None"
    assert not headless.get("publishNotReadyAddresses")


def test_no_service_is_open_to_the_outside(overlay: Rendered) -> None:
    for service in overlay.of_kind("Service"):
        assert service["spec"].get("type", "ClusterIP") == "ClusterIP"
    for kind in ("Ingress", "Gateway", "GRPCRoute", "HTTPRoute"):
        assert not overlay.of_kind(kind)


def test_the_database_in_the_cluster_is_closed_to_all_but_the_catalog_and_its_operator(
    all_rendered: Mapping[str, Rendered],
) -> None:
    rendered = all_rendered["cloudnative-pg"]
    cluster = rendered.named("Cluster", "dagcatalog-db")["metadata"]["name"]
    instance: Manifest = {"metadata": {"labels": {"cnpg.io/cluster": cluster}}}
    assert _admits(rendered, instance, labels=_server(rendered)["metadata"]["labels"])
    assert _admits(rendered, instance, labels=instance["metadata"]["labels"])
    operator = {"kubernetes.io/metadata.name": "cnpg-system"}
    assert _admits(rendered, instance, labels={}, namespace=operator)
    assert not _admits(rendered, instance, labels=CLIENT)
    assert not _admits(rendered, instance, labels=CLIENT, namespace=CLIENTS_NAMESPACE)
