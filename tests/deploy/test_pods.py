"""Pods are restricted, configured with settings that exist, and probed where the server answers."""

import copy
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from dagcatalog_client.version import __version__
from dagcatalog_server.config import Config
from dagcatalog_server.rpc.health import Health
from dagcatalog_server.rpc.service import SERVICE_NAME
from tests.deploy.manifests import Manifest, Rendered
from tests.deploy.pod_security import violations
from tests.support.probes import NOT_SERVING, SERVING, check_health
from tests.support.server import running_server

PROBES = ("startupProbe", "readinessProbe", "livenessProbe")
CLOSING_S = 5
"""Left of the grace period, after the drain, for the end of the process."""
SLOWEST_START_S = 300
"""An SQLite file may take that long to migrate."""
PROCESS_BYTES = 128 * 1024**2
"""Of a server that keeps nothing."""


def _pod(overlay: Rendered) -> Manifest:
    pod = overlay.named("Deployment", "dagcatalog")["spec"]["template"]["spec"]
    assert isinstance(pod, dict)
    return pod


def _config(overlay: Rendered, monkeypatch: pytest.MonkeyPatch) -> Config:
    for name, value in overlay.settings(overlay.server).items():
        if value:  # what a Secret holds is not here
            monkeypatch.setenv(name, value)
    return Config()


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


def test_every_pod_is_restricted(overlay: Rendered) -> None:
    found = {name: list(violations(pod["spec"])) for name, pod in overlay.pods()}
    assert found
    assert not any(found.values()), found


@pytest.mark.parametrize(
    "loosen",
    [
        lambda pod: pod.update(hostNetwork=True),
        lambda pod: pod["securityContext"].pop("runAsNonRoot"),
        lambda pod: pod["securityContext"].pop("seccompProfile"),
        lambda pod: pod.pop("automountServiceAccountToken"),
        lambda pod: pod["volumes"].append({"name": "host", "hostPath": {"path": "/"}}),
        lambda pod: pod["containers"][0].pop("securityContext"),
        lambda pod: pod["containers"][0]["securityContext"].update(runAsUser=0),
        lambda pod: pod["containers"][0]["resources"].pop("limits"),
    ],
)
def test_a_loosened_pod_would_be_found(
    overlay: Rendered, loosen: Callable[[Manifest], object]
) -> None:
    pod = copy.deepcopy(_pod(overlay))
    loosen(pod)
    assert list(violations(pod))


def test_the_service_account_has_nothing(overlay: Rendered) -> None:
    (account,) = overlay.of_kind("ServiceAccount")
    assert account["automountServiceAccountToken"] is False
    assert {pod["spec"]["serviceAccountName"] for _, pod in overlay.pods()} == {
        account["metadata"]["name"]
    }
    for kind in ("Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"):
        assert not overlay.of_kind(kind)


def test_every_variable_is_a_setting(overlay: Rendered, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {f"DAGCATALOG_{name.upper()}" for name in Config.model_fields}
    for _, pod in overlay.pods():
        (container,) = pod["spec"]["containers"]
        ours = {name for name in overlay.settings(container) if name.startswith("DAGCATALOG_")}
        assert "DAGCATALOG_DATABASE_URL" in ours
        assert ours <= known
    _config(overlay, monkeypatch)  # raises at a value that the server would refuse


def test_no_service_adds_variables_of_its_own(overlay: Rendered) -> None:
    assert all(pod["spec"]["enableServiceLinks"] is False for _, pod in overlay.pods())


def test_ports_are_those_that_the_server_listens_on(
    overlay: Rendered, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _config(overlay, monkeypatch)
    ports = {one["name"]: one["containerPort"] for one in overlay.server["ports"]}
    assert ports == {"grpc": _port(config.listen), "health": _port(config.health_listen)}
    for probe in PROBES:
        assert overlay.server[probe]["grpc"]["port"] == ports["health"]
    for service in overlay.of_kind("Service"):
        (one,) = service["spec"]["ports"]
        assert (one["targetPort"], one["port"]) == ("grpc", ports["grpc"])


async def test_a_server_with_these_settings_answers_every_probe(
    overlay: Rendered, tmp_path: Path
) -> None:
    given = {name: value for name, value in overlay.settings(overlay.server).items() if value}
    # Addresses and file are those of the test: options come before variables.
    with running_server(tmp_path / "catalog.db", environment=given) as server:
        async with grpc.aio.insecure_channel(server.health_address) as channel:
            for probe in PROBES:
                assert (
                    await check_health(channel, overlay.server[probe]["grpc"]["service"]) == SERVING
                )


async def test_only_readiness_waits_for_the_database(overlay: Rendered) -> None:
    """A restart mends no database: liveness must not ask for one."""
    asked = {probe: overlay.server[probe]["grpc"]["service"] for probe in PROBES}
    health = Health(SERVICE_NAME)
    server = grpc.aio.server()
    health.add_to(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        await health.set_ready(ready=True)
        await health.set_reached(False)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            told = {probe: await check_health(channel, name) for probe, name in asked.items()}
    finally:
        await server.stop(0)
    assert told == {
        "startupProbe": SERVING,
        "readinessProbe": NOT_SERVING,
        "livenessProbe": SERVING,
    }


def test_a_slow_start_is_waited_for(overlay: Rendered) -> None:
    probe = overlay.server["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= SLOWEST_START_S


def test_the_drain_fits_into_the_grace_period(
    overlay: Rendered, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = overlay.server["lifecycle"]["preStop"]["sleep"]["seconds"]
    grace = _pod(overlay)["terminationGracePeriodSeconds"]
    drain = _config(overlay, monkeypatch).drain_grace
    assert before > 0
    assert before + drain + CLOSING_S <= grace


def test_memory_has_room_for_what_the_settings_keep(
    overlay: Rendered, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _config(overlay, monkeypatch)
    limit = overlay.server["resources"]["limits"]["memory"]
    assert limit.endswith("Gi")
    kept = config.cache_bytes + config.memory_dags * 1024 + 4 * config.max_message_bytes
    assert int(limit.removesuffix("Gi")) * 1024**3 >= kept + PROCESS_BYTES


def test_images_are_of_this_release(overlay: Rendered) -> None:
    for _, pod in overlay.pods():
        (container,) = pod["spec"]["containers"]
        assert container["image"] == f"dagcatalog:{__version__}"
