"""`dagcatalog`: what it says when it cannot serve, and the configuration in force."""

import os
import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dagcatalog_server.cli import cli
from dagcatalog_server.config import Config, load_config
from dagcatalog_server.opening import ConfigurationProblem
from dagcatalog_server.store.schema import SchemaMismatch, migrate
from tests.support.postgres import Postgres
from tests.support.wire import serving

PROGRAM = str(Path(sys.executable).with_name("dagcatalog"))


def _refused(*arguments: str) -> str:
    """Run `serve`, which must end with exit code 1 and one sentence; give that sentence."""
    command = [PROGRAM, "serve", "--health-listen=127.0.0.1:0", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[-1].startswith("Error: ")
    assert len(lines) == 1, done.stderr
    return lines[-1]


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


def test_a_port_that_is_taken_is_named(taken_port: int) -> None:
    address = f"127.0.0.1:{taken_port}"
    said = _refused(f"--listen={address}", "--database-url=memory://")
    assert f"cannot listen on {address} (listen): " in said
    assert "in use" in said


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("50051", "must be HOST:PORT"),
        ("127.0.0.1:http", "must be HOST:PORT"),
        ("127.0.0.1:99999", "must be HOST:PORT"),
        ("192.0.2.1:0", "cannot listen on 192.0.2.1:0 (listen): "),
    ],
)
async def test_an_address_that_cannot_be_listened_on_is_named(address: str, words: str) -> None:
    with pytest.raises(ConfigurationProblem, match=re.escape(words)):
        async with serving(listen=address):
            pass


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://me:secret@host/db", "use sqlite:///PATH, postgresql://"),
        ("nonsense with secret", "database_url is not a URL"),
        ("sqlite:////no/such/folder/catalog.db", "/no/such/folder"),
        ("postgresql://me:secret@127.0.0.1:1/db", "127.0.0.1"),
    ],
)
async def test_a_database_that_cannot_be_is_explained(url: str, words: str) -> None:
    with pytest.raises(ConfigurationProblem, match=re.escape(words)) as caught:
        async with serving(database_url=url):
            pass
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_postgresql_without_a_schema_asks_for_migrate(
    empty_postgres_url: str, command: CliRunner
) -> None:
    said = _refused("--listen=127.0.0.1:0", f"--database-url={empty_postgres_url}")
    assert "`dagcatalog migrate`" in said
    assert "without a schema" in said
    for _ in range(2):  # nothing to do is fine
        done = command.invoke(cli, ["migrate", f"--database-url={empty_postgres_url}"])
        assert done.exit_code == 0
        assert done.stdout.startswith("the database is at schema 0")


async def test_a_newer_schema_is_refused(postgres: Postgres, empty_postgres_url: str) -> None:
    migrate(empty_postgres_url)
    database = empty_postgres_url.rpartition("/")[2]
    postgres.execute("UPDATE alembic_version SET version_num = 'from-the-future'", database)
    with pytest.raises(SchemaMismatch, match=r"from-the-future.* run a newer dagcatalog"):
        async with serving(database_url=empty_postgres_url):
            pass


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """The command line, with none of the settings of whoever runs the tests."""

    for name in list(os.environ):
        if name.startswith("DAGCATALOG_"):
            monkeypatch.delenv(name)
    return CliRunner()


def _config(command: CliRunner, *arguments: str, **variables: str) -> Result:
    return command.invoke(cli, [*arguments, "config"], env=variables)


def test_the_configuration_in_force_is_told_as_toml(command: CliRunner) -> None:
    done = _config(command)
    assert done.exit_code == 0
    told = tomllib.loads(done.stdout)
    assert set(told) == set(Config.model_fields)
    assert told["listen"] == "127.0.0.1:50051"
    assert told["max_document_bytes"] == 16 * 1024**2


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://me:hunter2@host/db", "postgresql://me:***@host/db"),
        ("postgresql://host/db?password=hunter2", "postgresql://host/db?password=%2A%2A%2A"),
        ("hunter2 alone", "***"),
    ],
)
def test_secrets_are_masked(command: CliRunner, url: str, told: str) -> None:
    done = _config(command, DAGCATALOG_DATABASE_URL=url)
    assert tomllib.loads(done.stdout)["database_url"] == told
    assert "hunter2" not in done.output


def test_variables_come_before_the_file_and_options_before_both(
    command: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "catalog.toml"
    file.write_text('listen = "0.0.0.0:1"\nworker_threads = 3\nlog_level = "DEBUG"\n')
    done = _config(command, "--config", str(file), DAGCATALOG_WORKER_THREADS="5")
    told = tomllib.loads(done.stdout)
    assert (told["listen"], told["worker_threads"]) == ("0.0.0.0:1", 5)
    by_variable = _config(command, DAGCATALOG_CONFIG=str(file))
    assert tomllib.loads(by_variable.stdout)["worker_threads"] == 3
    monkeypatch.setenv("DAGCATALOG_LOG_LEVEL", "WARNING")
    config = load_config(file, log_level="ERROR", listen=None)
    assert (config.log_level, config.listen) == ("ERROR", "0.0.0.0:1")
    assert load_config(file).log_level == "WARNING"


def test_what_config_prints_can_be_read_back(command: CliRunner, tmp_path: Path) -> None:
    file = tmp_path / "catalog.toml"
    file.write_text(_config(command, DAGCATALOG_DRAIN_GRACE="2.5").stdout)
    assert _config(command, "--config", str(file)).stdout == file.read_text()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("worker_threads = 0\nmax_message_bytes = -1\n", ["worker_threads", "max_message_bytes"]),
        ("no_such_setting = 1\n", ["no_such_setting"]),
        ('log_format = "xml"\n', ["log_format"]),
        ("listen = \n", ["catalog.toml", "line 1"]),
    ],
)
def test_a_wrong_setting_is_named(
    command: CliRunner, tmp_path: Path, text: str, words: list[str]
) -> None:
    file = tmp_path / "catalog.toml"
    file.write_text(text)
    done = _config(command, "--config", str(file))
    assert done.exit_code == 1
    assert done.stdout == ""
    assert all(word in done.stderr for word in words)
    assert len(done.stderr.splitlines()) == 1


def test_a_missing_file_is_named(command: CliRunner, tmp_path: Path) -> None:
    done = _config(command, "--config", str(tmp_path / "missing.toml"))
    assert done.exit_code == 1
    assert "missing.toml" in done.stderr
    assert "No such file" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_wrong_variable_is_named(command: CliRunner) -> None:
    done = _config(command, DAGCATALOG_DRAIN_GRACE="soon")
    assert done.exit_code == 1
    assert "drain_grace" in done.stderr
