"""What Kubernetes' pod security standard "restricted" refuses, and what we refuse beyond it."""

from collections.abc import Iterator

from tests.deploy.manifests import Manifest

ALLOWED_VOLUMES = {"configMap", "emptyDir", "persistentVolumeClaim", "projected", "secret"}
IMAGE_USER = 10001


def violations(pod: Manifest) -> Iterator[str]:
    """Name everything in a pod's spec that is not restricted."""
    own = pod.get("securityContext", {})
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.get(field):
            yield field
    if own.get("runAsNonRoot") is not True:
        yield "runAsNonRoot"
    if own.get("runAsUser") != IMAGE_USER or own.get("runAsGroup") != IMAGE_USER:
        yield "runAsUser, runAsGroup"
    if own.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "seccompProfile"
    if pod.get("automountServiceAccountToken") is not False:
        yield "automountServiceAccountToken"
    yield from _of_volumes(pod)
    for container in (*pod.get("initContainers", ()), *pod["containers"]):
        yield from _of_container(container)


def _of_volumes(pod: Manifest) -> Iterator[str]:
    for volume in pod.get("volumes", ()):
        if not set(volume) - {"name"} <= ALLOWED_VOLUMES:
            yield f"volume {volume['name']}"
        if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
            yield f"volume {volume['name']} without sizeLimit"


def _of_container(container: Manifest) -> Iterator[str]:
    own = container.get("securityContext", {})
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    if own.get("readOnlyRootFilesystem") is not True:
        yield "readOnlyRootFilesystem"
    if own.get("capabilities") != {"drop": ["ALL"]}:
        yield "capabilities"
    if set(own) & {"privileged", "runAsUser", "runAsNonRoot", "seccompProfile", "procMount"}:
        yield "a container that overrides its pod"
    if any("hostPort" in port for port in container.get("ports", ())):
        yield "hostPort"
    resources = container.get("resources", {})
    if not {"cpu", "memory"} <= set(resources.get("requests", {})):
        yield "no requests"
    if "memory" not in resources.get("limits", {}):
        yield "no limit of memory"
