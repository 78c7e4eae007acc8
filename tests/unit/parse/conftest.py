"""A parser whose interpreter finds the stand-in for Airflow."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dagcatalog_client.parse.model import FileOutcome, Limits
from dagcatalog_client.parse.parser import Parser
from dagcatalog_client.parse.request import ParseRequest
from tests.unit.parse.stand_in import install

Parse = Callable[[str], FileOutcome]
LIMITS = Limits(timeout_s=2.0, memory_bytes=256 * 1024**2)


@pytest.fixture(scope="module")
def parser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parser]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(install(tmp_path_factory.mktemp("stand-in"))))
        patch.delenv("AIRFLOW_HOME", raising=False)
        with Parser(jobs=2) as parser:
            yield parser


@pytest.fixture
def parse(parser: Parser, tmp_path: Path) -> Parse:
    """Parse a text as the file dag.py."""

    def run(text: str) -> FileOutcome:
        file = tmp_path / "dag.py"
        file.write_text(text)
        return parser.parse(ParseRequest(str(file), str(tmp_path), "bundle", LIMITS))

    return run
