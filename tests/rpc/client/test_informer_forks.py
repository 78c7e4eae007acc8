"""A process with a live watch forks hundreds of times: parent and children go on, and none hangs."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dagcatalog_client import Client
from tests.support.dags import dag_document
from tests.support.server import RunningServer

FORKS = {"plain": 150, "exiting": 40, "twice": 40, "multiprocessing": 40}
PROGRAM = Path(__file__).with_name("forking_program.py")


@pytest.fixture
def changing(server: RunningServer) -> Iterator[RunningServer]:
    """Change DAGs all the time, but for one."""
    ending = threading.Event()

    def write(client: Client) -> None:
        number = 0
        while not ending.wait(0.002):
            number += 1
            name = f"d{number % 7}"
            client.put(name, dag_document(name, tags=["fixed", str(number)]))

    with Client(server.address) as client:
        client.put("kept", dag_document("kept", tags=["fixed"]))
        thread = threading.Thread(target=write, args=(client,))
        thread.start()
        yield server
        ending.set()
        thread.join()


@pytest.mark.parametrize("how", FORKS)
@pytest.mark.parametrize("setting", ["0", None])
def test_children_serve_what_is_there_and_the_parent_goes_on(
    changing: RunningServer, tmp_path: Path, how: str, setting: str | None
) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "GRPC_ENABLE_FORK_SUPPORT"}
    if setting is not None:
        environment["GRPC_ENABLE_FORK_SUPPORT"] = setting
    often = FORKS[how] if setting == "0" else FORKS[how] // 4
    done = subprocess.run(
        [sys.executable, str(PROGRAM), changing.address, str(tmp_path), how, str(often)],
        check=False,
        capture_output=True,
        text=True,
        timeout=110,
        env=environment,
    )
    assert (done.stdout, done.returncode) == ("fine\n", 0), done.stderr


def test_an_informer_that_is_not_started_yet_can_be_started_in_a_child(
    server: RunningServer,
) -> None:
    program = (
        "import os, sys\n"
        "from dagcatalog_client import Client, Informer\n"
        "client = Client(sys.argv[1])\n"
        "informer = Informer(client)\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    with client, informer:\n"
        "        informer.wait_for_sync(30)\n"
        "    os._exit(0)\n"
        "print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, server.address],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "0\n"
