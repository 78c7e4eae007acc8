"""Each overlay suits its store: one writer to a file, several replicas over PostgreSQL."""

from collections.abc import Mapping

from sqlalchemy import make_url

from dagcatalog_server.config import Config
from tests.deploy.manifests import Manifest, Rendered, selects

CONNECTIONS = Config.model_fields["worker_threads"].default + 3 + 1
"""Of one server, by docs/how-to/postgresql.md: its pool, and the doorbell."""
POSTGRES_RESERVE = 3 + 10
"""superuser_reserved_connections, and what the operator and people with psql need."""


def _spec(rendered: Rendered, kind: str, name: str = "dagcatalog") -> Manifest:
    spec = rendered.named(kind, name)["spec"]
    assert isinstance(spec, dict)
    return spec


def test_a_file_has_one_server_also_during_a_rollout(all_rendered: Mapping[str, Rendered]) -> None:
    deployment = _spec(all_rendered["sqlite"], "Deployment")
    assert deployment["replicas"] == 1
    assert deployment["strategy"] == {"type": "Recreate"}
    for kind in (
        "HorizontalPodAutoscaler",
        "PodDisruptionBudget",
    ):  # a budget would hold nodes back
        assert not all_rendered["sqlite"].of_kind(kind)


def test_the_file_is_on_the_volume(all_rendered: Mapping[str, Rendered]) -> None:
    rendered = all_rendered["sqlite"]
    url = make_url(rendered.settings(rendered.server)["DAGCATALOG_DATABASE_URL"])
    assert url.get_backend_name() == "sqlite"
    pod = _spec(rendered, "Deployment")["template"]["spec"]
    (volume,) = (one for one in pod["volumes"] if "persistentVolumeClaim" in one)
    claim = rendered.named("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"])
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    (mount,) = (one for one in rendered.server["volumeMounts"] if one["name"] == volume["name"])
    assert url.database is not None
    assert url.database.startswith(mount["mountPath"] + "/")


def test_the_autoscaler_alone_counts_replicas(replicated: Mapping[str, Rendered]) -> None:
    for rendered in replicated.values():
        assert "replicas" not in _spec(rendered, "Deployment")
        autoscaler = _spec(rendered, "HorizontalPodAutoscaler")
        assert autoscaler["scaleTargetRef"]["name"] == "dagcatalog"
        assert autoscaler["minReplicas"] == 3
        down = autoscaler["behavior"]["scaleDown"]
        assert down["stabilizationWindowSeconds"] >= 600
        assert [one["value"] for one in down["policies"]] == [1]


def test_a_rollout_and_a_drained_node_take_one_replica_at_most(
    replicated: Mapping[str, Rendered],
) -> None:
    for rendered in replicated.values():
        deployment = _spec(rendered, "Deployment")
        assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
        budget = _spec(rendered, "PodDisruptionBudget")
        assert budget["maxUnavailable"] == 1
        assert selects(budget["selector"], deployment["template"]["metadata"]["labels"])
        job = _spec(rendered, "Job", "dagcatalog-migrate")
        assert not selects(budget["selector"], job["template"]["metadata"]["labels"])


def test_replicas_are_spread_over_zones_and_nodes(replicated: Mapping[str, Rendered]) -> None:
    for rendered in replicated.values():
        template = _spec(rendered, "Deployment")["template"]
        spread = template["spec"]["topologySpreadConstraints"]
        assert [one["topologyKey"] for one in spread] == [
            "topology.kubernetes.io/zone",
            "kubernetes.io/hostname",
        ]
        for one in spread:
            assert selects(one["labelSelector"], template["metadata"]["labels"])


def test_migration_and_server_use_one_database(replicated: Mapping[str, Rendered]) -> None:
    for rendered in replicated.values():
        job = rendered.named("Job", "dagcatalog-migrate")
        # The how-to applies it alone, by this label.
        assert job["metadata"]["labels"]["app.kubernetes.io/component"] == "migration"
        (migration,) = job["spec"]["template"]["spec"]["containers"]
        assert migration["args"] == ["migrate"]
        assert migration["env"] == rendered.server["env"]
        assert migration["image"] == rendered.server["image"]
        url = migration["env"][0]
        assert url["name"] == "DAGCATALOG_DATABASE_URL"
        assert set(url["valueFrom"]) == {"secretKeyRef"}


def test_the_operators_own_secrets_are_used(all_rendered: Mapping[str, Rendered]) -> None:
    rendered = all_rendered["cloudnative-pg"]
    cluster = rendered.named("Cluster", "dagcatalog-db")["metadata"]["name"]
    reference = rendered.server["env"][0]["valueFrom"]["secretKeyRef"]
    assert reference == {"name": f"{cluster}-app", "key": "uri"}
    for _, pod in rendered.pods():
        (secret,) = (one["secret"] for one in pod["spec"]["volumes"] if "secret" in one)
        # The authority's private key is in that Secret too.
        assert secret == {
            "secretName": f"{cluster}-ca",
            "items": [{"key": "ca.crt", "path": "ca.crt"}],
        }
        (container,) = pod["spec"]["containers"]
        variables = rendered.settings(container)
        (mount,) = (one for one in container["volumeMounts"] if one["name"] == "database-ca")
        assert variables["PGSSLROOTCERT"] == f"{mount['mountPath']}/ca.crt"
        assert variables["PGSSLMODE"] == "verify-ca"


def test_an_acknowledged_commit_survives_the_primary(
    all_rendered: Mapping[str, Rendered],
) -> None:
    cluster = _spec(all_rendered["cloudnative-pg"], "Cluster", "dagcatalog-db")
    synchronous = cluster["postgresql"]["synchronous"]
    assert synchronous == {"method": "any", "number": 1, "dataDurability": "required"}
    # One instance may be away, and commits still find their standby.
    assert cluster["instances"] >= synchronous["number"] + 2


def test_the_cluster_has_connections_for_every_replica(
    all_rendered: Mapping[str, Rendered],
) -> None:
    rendered = all_rendered["cloudnative-pg"]
    parameters = _spec(rendered, "Cluster", "dagcatalog-db")["postgresql"]["parameters"]
    most = _spec(rendered, "HorizontalPodAutoscaler")["maxReplicas"]
    surge = _spec(rendered, "Deployment")["strategy"]["rollingUpdate"]["maxSurge"]
    needed = (most + surge) * CONNECTIONS + 1 + POSTGRES_RESERVE  # 1: the migration
    assert int(parameters["max_connections"]) >= needed
