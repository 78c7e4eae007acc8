"""A pgbouncer that gives every transaction another session, for tests of what survives that."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2

from tests.support.postgres import Postgres
from tests.support.waiting import wait_until

PROGRAM = shutil.which("pgbouncer", path=os.pathsep.join((os.defpath, "/usr/sbin")))
SESSIONS = 4
CONFIGURATION = """\
[databases]
* = host=127.0.0.1 port={database_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = transaction
default_pool_size = {sessions}
max_client_conn = 200
"""


class Pooler:
    """A running pgbouncer in front of a cluster."""

    def __init__(self, port: int) -> None:
        self.port = port

    def url(self, database: str) -> str:
        """Give the URL of a database, by way of the pooler."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"


@contextmanager
def running_pooler(postgres: Postgres, *, sessions: int = SESSIONS) -> Iterator[Pooler]:
    """Run a pooler with so many sessions for each database."""
    assert PROGRAM is not None
    port = _free_port()
    folder = postgres.base / f"pooler-{port}"
    folder.mkdir()
    users = folder / "users"
    users.write_text('"postgres" ""\n')
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(
        CONFIGURATION.format(database_port=postgres.port, port=port, users=users, sessions=sessions)
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [PROGRAM, str(configuration)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            **postgres.run_as(),
        )
    try:
        _wait_for(port, process, folder / "log")
        yield Pooler(port)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        shutil.rmtree(folder)


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    def is_ready() -> bool:
        try:
            psycopg2.connect(Pooler(port).url("postgres")).close()
        except psycopg2.OperationalError:
            assert process.poll() is None, f"pgbouncer did not start: {log.read_text()}"
            return False
        return True

    wait_until(is_ready)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
