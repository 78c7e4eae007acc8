"""A consumer whose process hangs is noticed by the server, and waited for no more."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dagcatalog_client import Client
from tests.support.dags import dag_document
from tests.support.server import running_server

CONSUMER = """
import sys
from dagcatalog_client import Client
with Client(sys.argv[1]) as client, client.watch(initial_state=True, consumer_id="web") as watch:
    for event in watch:
        client.acknowledge("web", event.position)
        print(event.position.revision, flush=True)
"""
KEEPALIVE_S = 30.0  # the server's: 20 s without a word, 10 s without an answer
SILENCE_S = 5.0


@pytest.mark.faults
def test_a_consumer_that_hangs_is_waited_for_until_its_connection_is_given_up(
    tmp_path: Path,
) -> None:
    environment = {"DAGCATALOG_CONSUMER_SILENCE": str(SILENCE_S)}
    with (
        running_server(tmp_path / "catalog.db", environment=environment) as server,
        Client(server.address) as client,
    ):
        process = subprocess.Popen(
            [sys.executable, "-c", CONSUMER, server.address], stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "0\n"
            process.send_signal(signal.SIGSTOP)
            position = client.put("a", dag_document("a")).position
            began = time.monotonic()
            # For longer than its silence: as far as the server knows, the watch is open.
            assert not client.await_propagation(position, wait_s=2 * SILENCE_S).propagated
            assert client.await_propagation(position, wait_s=90.0).propagated
            assert time.monotonic() - began < KEEPALIVE_S + 3 * SILENCE_S
            assert client.status().watch_count == 0
        finally:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
