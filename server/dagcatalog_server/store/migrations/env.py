"""Runs migrations on the connection that `schema.alembic_config` was given."""

from alembic import context

from dagcatalog_server.store.sql_tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
