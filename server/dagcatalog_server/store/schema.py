"""Which schema a database has, and how it gets the one that this release needs.

SQLite migrates itself when it is opened. PostgreSQL is migrated by `migrate`, on purpose and once,
because several replicas of several releases may be using it.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, make_url, text

from dagcatalog_server.store.postgres_engine import postgres_engine
from dagcatalog_server.store.sqlite_engine import WRITE_OPTIONS, sqlite_engine

_MIGRATIONS = "dagcatalog_server.store:migrations"
_ADVISORY_LOCK = 0x64616763  # "dagc": one migration at a time


class SchemaMismatch(Exception):
    """The database's schema is not the one that this release needs.

    `found` is empty for a database without one; `known` says whether this release can migrate it.
    """

    def __init__(self, *, found: str, needed: str, known: bool) -> None:
        at = f"at schema {found}" if found else "without a schema"
        remedy = (
            f"run `dagcatalog migrate` to bring it to {needed}"
            if known
            else f"this release knows schemas up to {needed}: run a newer dagcatalog"
        )
        super().__init__(f"the database is {at}; {remedy}")
        self.found = found
        self.needed = needed
        self.known = known


def migrate(url: str) -> str:
    """Migrate the database at postgresql://… or sqlite:///… and give its schema revision.

    Safe to repeat, and to run while another does: one waits for the other.

    Raises:
        SchemaMismatch: a newer release has been here.
        StoreUnavailable: the database cannot be reached.

    """
    engine = _engine(url)
    try:
        with engine.begin() as connection:
            return upgrade(connection)
    finally:
        engine.dispose()


def found_revision(connection: Connection) -> str:
    """Read the schema revision of a database; empty: it has none."""
    return MigrationContext.configure(connection).get_current_revision() or ""


def needed_revision() -> str:
    """Give the schema revision that this release needs."""
    return _scripts().get_current_head() or ""


def require_current(connection: Connection) -> str:
    """Give the schema revision if it is the one that this release needs.

    Raises:
        SchemaMismatch: it is not.

    """
    found, needed = found_revision(connection), needed_revision()
    if found != needed:
        raise SchemaMismatch(found=found, needed=needed, known=_is_known(found))
    return found


def upgrade(connection: Connection) -> str:
    """Bring the schema to the one that this release needs, inside the connection's transaction.

    Raises:
        SchemaMismatch: a newer release has been here.

    """
    if connection.dialect.name == "postgresql":
        lock = text("SELECT pg_advisory_xact_lock(:key)")
        connection.execute(lock, {"key": _ADVISORY_LOCK})
    found, needed = found_revision(connection), needed_revision()
    if not _is_known(found):
        raise SchemaMismatch(found=found, needed=needed, known=False)
    if found != needed:
        command.upgrade(alembic_config(connection), "head")
    return needed


def alembic_config(connection: Connection | None = None) -> Config:
    """Make Alembic's configuration, which has no file; migrations run on `connection`."""
    config = Config()
    config.set_main_option("script_location", _MIGRATIONS)
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return postgres_engine(url)
    engine = sqlite_engine(Path(parsed.database or ""))
    return engine.execution_options(**WRITE_OPTIONS)


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(alembic_config())


def _is_known(revision: str) -> bool:
    return not revision or revision in {script.revision for script in _scripts().walk_revisions()}
