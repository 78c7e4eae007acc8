"""Every overlay as it is, and an installation with everything that may be added."""

from collections.abc import Mapping

import pytest

from tests.deploy.manifests import K8S, OVERLAYS, Rendered, kubectl, render
from tests.support.pages import ROOT, blocks


@pytest.fixture(scope="session")
def program() -> str:
    found = kubectl()
    if found is None:
        pytest.skip("kubectl is not here, nor the extra deploy-test that brings it")
    return found


@pytest.fixture(scope="session")
def all_rendered(program: str) -> Mapping[str, Rendered]:
    return {name: render(program, K8S / "overlays" / name) for name in OVERLAYS}


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest, all_rendered: Mapping[str, Rendered]) -> Rendered:
    """One overlay after the other."""
    return all_rendered[request.param]


@pytest.fixture(scope="session")
def replicated(all_rendered: Mapping[str, Rendered]) -> Mapping[str, Rendered]:
    """The overlays with more than one replica."""
    return {name: one for name, one in all_rendered.items() if name != "sqlite"}


@pytest.fixture(scope="session")
def behind_gateway(program: str, tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """The installation of the how-to, with all that it adds."""
    beside = tmp_path_factory.mktemp("beside")
    (beside / "dagcatalog").symlink_to(ROOT)
    folder = beside / "installation"
    folder.mkdir()
    written = [one.text for one in blocks("how-to/kubernetes.md") if one.language == "yaml"]
    (folder / "kustomization.yaml").write_text("".join(written))
    return render(program, folder)
