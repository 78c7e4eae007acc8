"""Alembic migrations of the SQL stores: expand first, contract in a later release."""
