"""Manifests as kustomize renders them, and what tests ask of them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.pages import ROOT

Manifest = dict[str, Any]
"""YAML as it is: its shape is the schemas' to check."""

K8S = ROOT / "deploy/k8s"
OVERLAYS = sorted(path.name for path in (K8S / "overlays").iterdir())
RENDER_TIMEOUT_S = 60


def kubectl() -> str | None:
    """Find kubectl, that of the environment before any other."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return shutil.which("kubectl", path=places)


@dataclass(frozen=True)
class Rendered:
    """What `kubectl apply -k` would send."""

    manifests: Sequence[Manifest]

    def of_kind(self, kind: str) -> list[Manifest]:
        """Give the manifests of a kind."""
        return [one for one in self.manifests if one["kind"] == kind]

    def named(self, kind: str, name: str) -> Manifest:
        """Give the one manifest of a kind and a name."""
        (found,) = (one for one in self.of_kind(kind) if one["metadata"]["name"] == name)
        return found

    def pods(self) -> Iterator[tuple[str, Manifest]]:
        """Give the template of each workload's pods, with a name for failures."""
        for one in self.manifests:
            if "template" in one.get("spec", {}):
                yield f"{one['kind']}/{one['metadata']['name']}", one["spec"]["template"]

    @property
    def server(self) -> Manifest:
        """The one container of the server."""
        (container,) = self.named("Deployment", "dagcatalog")["spec"]["template"]["spec"][
            "containers"
        ]
        assert isinstance(container, dict)
        return container

    def settings(self, container: Manifest) -> dict[str, str]:
        """Give the variables of a container; one out of a Secret is empty."""
        found: dict[str, str] = {}
        for source in container.get("envFrom", ()):
            found |= self.named("ConfigMap", source["configMapRef"]["name"])["data"]
        return found | {one["name"]: one.get("value", "") for one in container.get("env", ())}


def render(program: str, folder: Path) -> Rendered:
    """Render a folder with a kustomization."""
    done = subprocess.run(
        [program, "kustomize", str(folder)],
        capture_output=True,
        text=True,
        timeout=RENDER_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr  # a deprecation is an error, as everywhere
    return Rendered([one for one in yaml.safe_load_all(done.stdout) if one])


def selects(selector: Mapping[str, Mapping[str, str]], labels: Mapping[str, str]) -> bool:
    """Whether a selector of labels takes a pod; the manifests use matchLabels only."""
    assert set(selector) <= {"matchLabels"}
    return selector.get("matchLabels", {}).items() <= labels.items()
