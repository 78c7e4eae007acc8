"""Every manifest is valid in every Kubernetes that the how-to names."""

import copy

import kubernetes_validate
import pytest

from tests.deploy.manifests import Rendered

OLDEST = "1.30"
"""Of those that docs/how-to/kubernetes.md promises: before it, preStop.sleep was off."""
CUSTOM = {
    "gateway.envoyproxy.io/v1alpha1",
    "gateway.networking.k8s.io/v1",
    "postgresql.cnpg.io/v1",
}


def _validate(rendered: Rendered, version: str) -> int:
    builtin = [one for one in rendered.manifests if one["apiVersion"] not in CUSTOM]
    for one in builtin:
        kubernetes_validate.validate(one, version, strict=True)
    return len(builtin)


@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
def test_every_builtin_kind_is_valid(overlay: Rendered, version: str) -> None:
    assert _validate(overlay, version) >= 8


def test_what_a_gateway_adds_is_valid(behind_gateway: Rendered) -> None:
    assert _validate(behind_gateway, kubernetes_validate.latest_version())


def test_the_validation_would_find_a_misspelt_field(overlay: Rendered) -> None:
    wrong = copy.deepcopy(overlay.named("Deployment", "dagcatalog"))
    wrong["spec"]["template"]["spec"]["enableServiceLink"] = False
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, OLDEST, strict=True)


def test_everything_is_in_the_namespace_that_enforces_restricted_pods(overlay: Rendered) -> None:
    (namespace,) = overlay.of_kind("Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    name = namespace["metadata"]["name"]
    others = [one for one in overlay.manifests if one is not namespace]
    assert {one["metadata"]["namespace"] for one in others} == {name}


def test_no_secret_is_among_the_manifests(overlay: Rendered) -> None:
    assert not overlay.of_kind("Secret")
