"""The image is what the manifests expect; building it takes a container engine and is not tried here."""

import re
from pathlib import Path

from tests.deploy.pod_security import IMAGE_USER
from tests.support.pages import ROOT

DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text("utf-8")


def _stages() -> list[str]:
    return re.split(r"^(?=FROM )", DOCKERFILE, flags=re.MULTILINE)[1:]


def test_the_user_is_a_number_and_that_of_the_manifests() -> None:
    assert re.findall(r"^USER (.+)$", _stages()[-1], re.MULTILINE) == [f"{IMAGE_USER}:{IMAGE_USER}"]


def test_the_program_is_process_one_and_gets_its_signals() -> None:
    assert 'ENTRYPOINT ["dagcatalog"]\n' in _stages()[-1]  # a shell would keep SIGTERM for itself


def test_the_last_stage_installs_nothing() -> None:
    assert not re.search(r"\b(pip|apt|apt-get)\b", _stages()[-1])


def test_everything_that_is_copied_is_let_through_to_the_build() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert "*" in ignored
    let_through = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied: set[str] = set()
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE):
        *sources, _ = line.split()
        copied |= set(sources)
    assert copied == let_through
    assert all((ROOT / Path(one)).exists() for one in copied)


def test_versions_are_those_of_the_constraints() -> None:
    (installs,) = re.findall(r"^RUN pip wheel .+$", DOCKERFILE, re.MULTILINE)
    assert "-c requirements/constraints.txt" in installs
