"""docs/how-to/grpcurl.md: every RPC of the contract is there, and every command works."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dagcatalog.v1 import catalog_service_pb2 as pb
from tests.support.pages import Block, blocks, commands
from tests.support.server import RunningServer, running_server

PAGE = "how-to/grpcurl.md"
ADDRESS = "127.0.0.1:50051"
RPCS = [method.name for method in pb.DESCRIPTOR.services_by_name["CatalogService"].methods]
SECTIONS = {block.heading: block for block in blocks(PAGE) if block.heading in RPCS}

Messages = list[dict[str, Any]]
ANSWERS: Mapping[str, Callable[[Messages], object]] = {
    "Put": lambda m: m[0]["result"]["outcome"] == "PUT_OUTCOME_CREATED",
    "PutBatch": lambda m: m[0]["results"][0]["outcome"] == "PUT_OUTCOME_NEW_VERSION",
    "Rollback": lambda m: m[0]["result"]["summary"]["version"] == "3",
    "Delete": lambda m: m[0]["summary"]["deleteReason"] == "a trial",
    "Restore": lambda m: "deleted" not in m[0]["summary"],
    "ReportParse": lambda m: m[0]["errorCount"] == 1,
    "Get": lambda m: m[0]["dag"]["readable"]["dag"]["tags"] == ["daily"],
    "GetBatch": lambda m: m[0]["items"][1]["error"]["reason"] == "DAG_NOT_FOUND",
    "List": lambda m: [dag["dagId"] for dag in m[0]["dags"]] == ["etl"],
    "ListVersions": lambda m: [each["version"] for each in m[0]["versions"]] == ["3", "2", "1"],
    "Diff": lambda m: m[0]["difference"]["metadata"][0]["newJson"] == '"hourly"',
    "ListParseErrors": lambda m: m[0]["errors"][0]["file"] == "broken.py",
    "Dependencies": lambda m: "position" in m[0],
    "Impact": lambda m: "position" in m[0],
    "Watch": lambda m: m[1]["bookmark"]["synced"],
    "Acknowledge": lambda m: "position" in m[0],
    "AwaitPropagation": lambda m: m[0]["propagated"],
    "Status": lambda m: m[0]["namespaces"][0]["dagCount"] == "1",
    "Prune": lambda m: m[0]["versionCount"] == "2",
    "Verify": lambda m: m[-1]["done"],
}


def test_every_rpc_is_on_the_page_once_for_each_tool() -> None:
    assert sorted(SECTIONS) == sorted(RPCS) == sorted(ANSWERS)
    for rpc, block in SECTIONS.items():
        assert _parts(block) == [("grpcurl", rpc), ("buf", rpc)], rpc


def test_both_tools_are_given_the_same() -> None:
    for rpc, block in SECTIONS.items():
        grpcurl, buf = commands(block)
        data = re.fullmatch(
            rf"grpcurl -plaintext -d (.+) {ADDRESS} (dagcatalog\S+)", _spaced(grpcurl)
        )
        assert data, rpc
        options = "--protocol grpc --http2-prior-knowledge -d"
        assert _spaced(buf) == f"buf curl {options} {data[1]} http://{ADDRESS}/{data[2]}", rpc


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("server")
    with running_server(folder / "c.db", extra_args=["--database-url=memory://"]) as running:
        yield running


def test_every_command_of_the_page_works_in_its_order(
    server: RunningServer, tmp_path: Path
) -> None:
    for block in blocks(PAGE):
        for command in commands(block):
            if command.startswith("grpcurl"):  # not on the package index: held against buf above
                continue
            done = _run(command.replace(ADDRESS, server.address), tmp_path, block.heading)
            if block.heading in ANSWERS:
                assert ANSWERS[block.heading](_messages(done.stdout)), done
            else:
                assert done.returncode == 0, done


def _run(command: str, folder: Path, heading: str) -> "subprocess.CompletedProcess[str]":
    """Run it as a person would; a watch is ended once it has said that it is synced."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "NO_PROXY": "127.0.0.1",
    }
    program = subprocess.Popen(
        ["bash", "-c", command if heading != "Watch" else f"exec {command}"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with program:
        said = ""
        if heading == "Watch":
            assert program.stdout is not None
            while "synced" not in said:
                said += program.stdout.readline()
            program.terminate()
        rest, errors = program.communicate(timeout=60)
    return subprocess.CompletedProcess(command, program.returncode, said or rest, errors)


def _messages(text: str) -> Messages:
    """Read one JSON object after the other; a watch is cut inside of its last."""
    decoder, found, place = json.JSONDecoder(), [], 0
    text = re.sub(r'("synced":\s*true)\s*$', r"\1}}", text)
    while place < len(text):
        message, place = decoder.raw_decode(text, place)
        found.append(message)
        place += len(text[place:]) - len(text[place:].lstrip())
    return found


def _parts(block: Block) -> list[tuple[str, str]]:
    return [(line.split()[0], line.rpartition("/")[2]) for line in commands(block)]


def _spaced(command: str) -> str:
    return re.sub(r" +", " ", command)
