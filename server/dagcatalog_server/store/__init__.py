"""Stores: memory, SQLite and PostgreSQL behind the one seam `dagcatalog_server.catalog.ports`."""
