"""Run as a program: an informer whose process forks, again and again, in every way Airflow does.

Prints what went wrong, or "fine". Arguments: address, folder, how, how often.
"""

import faulthandler
import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from dagcatalog_client import Client, ForkedChild, Informer, Position

CHILD_PATIENCE_S = 20
EXIT_FINE = 77


def check_child(informer: Informer, client: Client) -> None:
    """Do in a child what a child may do, and what it may not."""
    faulthandler.dump_traceback_later(CHILD_PATIENCE_S, exit=True)
    for summary in informer.list():
        assert informer.summary(summary.dag_id) == summary
    dag = informer.get("kept")
    assert informer.by_hash(dag.summary.content_hash) == dag.document
    assert informer.by_index("tag", "fixed")
    assert informer.staleness_s() < 60
    informer.wait_for_sync(1)
    assert informer.position is not None
    refused(lambda: informer.by_hash("0" * 64))
    refused(lambda: informer.wait_for(Position("other", 1), 60))
    refused(informer.start)
    refused(lambda: client.get("kept"))
    client.close()
    informer.close()
    gc.collect()
    faulthandler.cancel_dump_traceback_later()


def refused(call: Callable[[], object]) -> None:
    try:
        call()
    except ForkedChild:
        return
    raise AssertionError("a child asked the catalog")


def plain(informer: Informer, client: Client) -> int:
    """Fork as LocalExecutor and the dag processor do: work, then leave without a farewell."""
    pid = os.fork()
    if pid == 0:
        leave(informer, client, os._exit)
    return status_of(pid)


def exiting(informer: Informer, client: Client) -> int:
    """Fork a child that ends as a program ends: everything is torn down."""
    pid = os.fork()
    if pid == 0:
        leave(informer, client, sys.exit)
    return status_of(pid)


def twice(informer: Informer, client: Client) -> int:
    """Fork a child that forks."""
    pid = os.fork()
    if pid == 0:
        check_child(informer, client)
        os._exit(plain(informer, client))
    return status_of(pid)


def by_multiprocessing(informer: Informer, client: Client) -> int:
    process = multiprocessing.get_context("fork").Process(
        target=leave, args=(informer, client, sys.exit)
    )
    process.start()
    process.join(CHILD_PATIENCE_S + 5)
    if process.exitcode is None:
        process.kill()
        process.join()
    return process.exitcode or 0


def leave(informer: Informer, client: Client, how: Callable[[int], object]) -> None:
    check_child(informer, client)
    how(EXIT_FINE)


def status_of(pid: int) -> int:
    give_up = time.monotonic() + CHILD_PATIENCE_S + 5
    while time.monotonic() < give_up:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return -1


WAYS = {"plain": plain, "exiting": exiting, "twice": twice, "multiprocessing": by_multiprocessing}


def main(address: str, folder: str, how: str, often: int) -> None:
    client = Client(address)
    # So little memory that documents come and go, from disk and from the catalog.
    informer = Informer(client, folder=Path(folder), memory_bytes=6_000, snapshot_interval_s=0.05)
    informer.add_index("tag", lambda summary: summary.tags)
    informer.start()
    informer.wait_for_sync(30)
    wait_for_disk(informer)
    ending = threading.Event()
    threads = [
        threading.Thread(target=read, args=(informer, ending), daemon=True) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    bad = [code for _ in range(often) if (code := WAYS[how](informer, client)) != EXIT_FINE]
    ending.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    # The parent never noticed: it follows, and asks.
    informer.wait_for(client.status().position, 30)
    assert informer.get("kept").document == client.get("kept").document
    informer.close()
    client.close()
    print(f"bad children: {bad}" if bad else "fine", flush=True)


def wait_for_disk(informer: Informer) -> None:
    """See that what every child asks for is on disk: memory drops it soon."""
    disk = informer._disk
    assert disk is not None
    while informer.summary("kept").content_hash not in disk:
        informer.get("kept")
        time.sleep(0.01)


def read(informer: Informer, ending: threading.Event) -> None:
    """Hold locks, misses and disk reads in the way of the forks."""
    while not ending.is_set():
        for summary in informer.list():
            informer.get(summary.dag_id)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
