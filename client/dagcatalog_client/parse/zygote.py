"""Imports Airflow once, then forks a keeper for each request: `main(control_fd)`.

It has one thread and no gRPC channel, so a fork of it is sound. A request comes with the descriptor
that its answer goes to; the zygote itself never writes there, so a keeper that is killed is seen as
an answer that ends.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import socket
import sys
from typing import NoReturn

from dagcatalog_client.parse import airflow_bag, child, processes, protocol
from dagcatalog_client.parse.keeper import Stopped, keep
from dagcatalog_client.parse.request import ParseRequest, Request, decode_request

MAX_REQUEST_BYTES = 64 * 1024


def main(control_fd: int) -> None:
    """Say whether Airflow is there, then serve until the other end closes."""
    processes.adopt_orphans()
    # The modules are loaded. A DAG file that imports dagcatalog_client must get the real one, not
    # the bare package that we were started with.
    sys.modules.pop("dagcatalog_client", None)
    with socket.socket(fileno=control_fd) as control:
        try:
            ready = {"airflow": airflow_bag.load_airflow()}
        except Exception as error:  # noqa: BLE001 - Airflow's configuration errors too
            ready = {"error": f"{type(error).__name__}: {error}"}
        control.send(json.dumps(ready).encode("ascii"))
        if "airflow" in ready:
            _serve(control)


def _serve(control: socket.socket) -> None:
    keepers: set[int] = set()
    gc.collect()
    while True:
        message, fds, _, _ = socket.recv_fds(control, MAX_REQUEST_BYTES, 1)
        if not message:
            _end(keepers)
            return
        request = decode_request(message)
        if isinstance(request, ParseRequest):
            airflow_bag.preload(request.file)
        gc.freeze()  # keeps the children from copying what they only look at
        pid = os.fork()
        if pid == 0:
            control.close()
            _become_keeper(request, fds[0])
        os.close(fds[0])
        keepers.add(pid)
        _reap(keepers)


def _become_keeper(request: Request, answer_fd: int) -> NoReturn:
    code = 1
    try:
        with contextlib.suppress(Stopped):
            answer = keep(lambda fd: _run(request, fd), request.limits)
            protocol.write_all(answer_fd, answer)
            code = 0
    finally:
        os._exit(code)


def _run(request: Request, answer_fd: int) -> None:
    if isinstance(request, ParseRequest):
        child.parse(request, answer_fd)
    else:
        child.find(request, answer_fd)


def _end(keepers: set[int]) -> None:
    """Stop the keepers and reap them: in a container nobody else may."""
    for pid in keepers:
        os.kill(pid, signal.SIGTERM)
    for pid in keepers:
        os.waitpid(pid, 0)


def _reap(keepers: set[int]) -> None:
    """Reap keepers; if a file has killed its keeper, kill what that keeper left behind."""
    killed = False
    for pid in tuple(keepers):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            keepers.discard(pid)
            killed |= status != 0
    if killed:
        for pid in set(processes.children().get(os.getpid(), [])) - keepers:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
