"""Settings of PostgreSQL that cannot work, or must not be told."""

import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from dagcatalog_server.cli import cli
from dagcatalog_server.config import Config
from dagcatalog_server.config_text import render_config
from dagcatalog_server.opening import ConfigurationProblem, opened_store
from tests.support.postgres import Postgres
from tests.support.wire import serving


def test_a_database_that_cannot_hold_every_text_is_refused_in_one_sentence(
    postgres: Postgres,
) -> None:
    postgres.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    url = postgres.url("latin")
    done = CliRunner().invoke(cli, ["migrate", "--database-url", url])
    assert done.exit_code == 1
    assert "encoded in LATIN1" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    with (
        pytest.raises(ConfigurationProblem, match="encoded in LATIN1"),
        opened_store(Config(database_url=SecretStr(url))),
    ):
        pass
    postgres.execute("DROP DATABASE latin")


@pytest.mark.parametrize("url", ["sqlite:///x.db", "nonsense"])
async def test_a_doorbell_that_could_never_ring_is_refused(postgres_url: str, url: str) -> None:
    settings = {"database_url": postgres_url, "listen_database_url": url}
    with pytest.raises(ConfigurationProblem, match="listen_database_url"):
        async with serving(**settings):
            pass


def test_the_password_of_the_doorbell_is_masked() -> None:
    given = SecretStr("postgresql://a:secret@db/x")
    told = render_config(Config(listen_database_url=given))
    assert 'listen_database_url = "postgresql://a:***@db/x"' in told
    assert 'listen_database_url = ""' in render_config(Config())
