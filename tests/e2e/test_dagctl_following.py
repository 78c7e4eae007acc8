"""`dagctl --watch`: answers that follow the catalog, on a terminal and in a pipe."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from dagcatalog_client import ParseFailure, ParseResult
from tests.support.dagctl import DAGCTL, Dagctl
from tests.support.dags import dag_document
from tests.support.server import RunningServer, running_server, stop
from tests.support.terminal import on_terminal


def test_a_list_is_shown_again_at_every_change(dagctl: Dagctl) -> None:
    dagctl.client.put("a", dag_document("a"))
    with _following(dagctl, "list", "--watch", "-o", "json") as lines:
        assert _names(next(lines)) == ["a"]
        dagctl.client.put("b", dag_document("b"))
        assert _names(next(lines)) == ["a", "b"]
        dagctl.client.delete("a")
        assert _names(next(lines)) == ["b"]


def test_a_filter_holds_while_it_is_followed(dagctl: Dagctl) -> None:
    dagctl.client.put("a", dag_document("a"))
    with _following(dagctl, "list", "-w", "--tag", "red", "-o", "json") as lines:
        assert _names(next(lines)) == []
        dagctl.client.put("b", dag_document("b", tags=["red"]))
        assert _names(next(lines)) == ["b"]


def test_a_history_and_a_status_follow_too(dagctl: Dagctl) -> None:
    dagctl.client.put("etl", dag_document("etl"))
    with _following(dagctl, "history", "etl", "-w", "-o", "json") as lines:
        assert len(json.loads(next(lines))) == 1
        dagctl.client.put("etl", dag_document("etl", tags=["x"]))
        assert len(json.loads(next(lines))) == 2
    with _following(dagctl, "status", "-w", "-o", "json") as lines:
        before = json.loads(next(lines))["position"]["revision"]
        dagctl.client.put("etl", dag_document("etl", tags=["y"]))
        assert json.loads(next(lines))["position"]["revision"] == before + 1


def test_parse_errors_are_looked_for_by_the_clock(dagctl: Dagctl) -> None:
    with _following(dagctl, "errors", "-w", "-o", "json") as lines:
        assert json.loads(next(lines)) == []
        dagctl.client.report_parse([ParseResult("a.py", ParseFailure("no"))])
        assert any(json.loads(line) for line in lines)


def test_a_catalog_that_goes_away_is_waited_for(tmp_path: Path) -> None:
    with running_server(tmp_path / "catalog.db") as first:
        dagctl = Dagctl(first.address, "default")
        with dagctl.client, _following(dagctl, "list", "-w", "-o", "json") as lines:
            assert _names(next(lines)) == []
            stop(first.process)
            place = f"--listen={first.address}"
            with running_server(tmp_path / "catalog.db", extra_args=[place]):
                dagctl.client.put("a", dag_document("a"))
                assert any(_names(line) == ["a"] for line in lines)


def test_on_a_terminal_the_page_is_drawn_in_place(dagctl: Dagctl) -> None:
    for number in range(30):
        dagctl.client.put(f"dag_{number:02}", dag_document(f"dag_{number:02}"))
    with on_terminal([DAGCTL, "list", "--watch"], dagctl.environment) as terminal:
        page = terminal.wait_for("lines more")
        assert "dag_00" in page
        assert "dag_29" not in page
        dagctl.client.put("aaa_first", dag_document("aaa_first"))
        terminal.wait_for("aaa_first")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.end() == 130
        assert "Traceback" not in terminal.seen


def test_the_past_is_not_followed(dagctl: Dagctl) -> None:
    assert dagctl("list", "--at", "1", "--watch").returncode == 2


def test_whoever_is_refused_is_not_kept_waiting(server: RunningServer) -> None:
    dagctl = Dagctl(server.address, "no such name")
    with dagctl.client:
        done = dagctl("list", "--watch")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


class _following:  # noqa: N801 - used as a function
    """Run dagctl in a pipe and read what it shows, until interrupted."""

    def __init__(self, dagctl: Dagctl, *arguments: str) -> None:
        self._process = dagctl.start(*arguments)

    def __enter__(self) -> Iterator[str]:
        assert self._process.stdout is not None
        stdout: IO[str] = self._process.stdout
        return iter(stdout.readline, "")

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            errors = self._process.communicate(timeout=20)[1]
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            pytest.fail("it did not end at an interrupt")
        assert self._process.returncode == 130
        assert "Traceback" not in errors


def _names(line: str) -> list[str]:
    return [dag["dag_id"] for dag in json.loads(line)]
