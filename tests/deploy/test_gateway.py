"""What a gateway passes on: reads only, watches without a timeout, and from its namespace only."""

from typing import Any

from dagcatalog.v1 import catalog_service_pb2 as pb
from dagcatalog_client.version import __version__
from dagcatalog_server.config import Config
from tests.deploy.manifests import Rendered

SERVICE = pb.DESCRIPTOR.services_by_name["CatalogService"]
WRITES = {"Put", "PutBatch", "Delete", "Rollback", "Restore", "ReportParse", "Prune"}
EXPENSIVE = {"Verify"}
LONGEST_BOOKMARK_S = 600
"""Of bookmark_interval in the contract."""


def _methods(route: dict[str, Any]) -> set[str]:
    (rule,) = route["spec"]["rules"]
    assert {one["method"]["service"] for one in rule["matches"]} == {SERVICE.full_name}
    return {one["method"]["method"] for one in rule["matches"]}


def _timeouts(rendered: Rendered, route: str) -> dict[str, str]:
    (found,) = (
        one["spec"]["timeout"]["http"]
        for one in rendered.of_kind("BackendTrafficPolicy")
        if [target["name"] for target in one["spec"]["targetRefs"]] == [route]
    )
    assert isinstance(found, dict)
    return found


def test_the_routes_pass_on_every_read_and_nothing_else(behind_gateway: Rendered) -> None:
    routed = [_methods(one) for one in behind_gateway.of_kind("GRPCRoute")]
    assert sum(map(len, routed)) == len(set.union(*routed))
    # A new method of the contract fails here, until it is said which it is.
    assert set.union(*routed) == set(SERVICE.methods_by_name) - WRITES - EXPENSIVE
    assert set(SERVICE.methods_by_name) >= WRITES | EXPENSIVE


def test_the_routes_lead_to_the_service(behind_gateway: Rendered) -> None:
    for route in behind_gateway.of_kind("GRPCRoute"):
        (backend,) = route["spec"]["rules"][0]["backendRefs"]
        service = behind_gateway.named("Service", backend["name"])
        assert backend["port"] in [one["port"] for one in service["spec"]["ports"]]
        assert route["metadata"]["namespace"] == service["metadata"]["namespace"]


def test_what_lasts_has_no_timeout_and_what_is_short_has_one(behind_gateway: Rendered) -> None:
    lasting = behind_gateway.named("GRPCRoute", "dagcatalog-long-calls")
    streams = {name for name in _methods(lasting) if _is_stream(name)}
    assert streams == {"Watch", "GetBatch"}
    short = behind_gateway.named("GRPCRoute", "dagcatalog-calls")
    assert not [name for name in _methods(short) if _is_stream(name)]

    timeouts = _timeouts(behind_gateway, "dagcatalog-long-calls")
    assert timeouts["requestTimeout"] == timeouts["maxStreamDuration"] == "0s"
    idle = timeouts["streamIdleTimeout"]
    assert idle.endswith("m")
    assert int(idle.removesuffix("m")) * 60 > LONGEST_BOOKMARK_S
    assert _timeouts(behind_gateway, "dagcatalog-calls")["requestTimeout"] != "0s"


def _is_stream(method: str) -> bool:
    return bool(SERVICE.methods_by_name[method].server_streaming)


def test_the_gateway_comes_in_from_the_labelled_namespace_only(behind_gateway: Rendered) -> None:
    spec = behind_gateway.named("NetworkPolicy", "dagcatalog-gateway")["spec"]
    assert spec["ingress"] == [
        {
            "from": [{"namespaceSelector": {"matchLabels": {"dagcatalog-gateway": "true"}}}],
            "ports": [{"protocol": "TCP", "port": "grpc"}],
        }
    ]


def test_the_page_tells_how_to_name_image_settings_gateway_and_host(
    behind_gateway: Rendered,
) -> None:
    """Its blocks of YAML, one after the other, are the installation that is rendered here."""
    server = behind_gateway.server
    assert server["image"] == f"registry.example.com/dagcatalog:{__version__}"
    default = Config.model_fields["cache_bytes"].default
    assert int(behind_gateway.settings(server)["DAGCATALOG_CACHE_BYTES"]) > default
    for route in behind_gateway.of_kind("GRPCRoute"):
        assert route["spec"]["parentRefs"] == [{"name": "internal", "namespace": "gateways"}]
        assert route["spec"]["hostnames"] == ["catalog.internal.example"]
