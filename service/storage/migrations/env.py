"""Runs the revisions on the connection, and in the transaction, of the caller; Alembic's hook."""

from alembic import context

from service.storage.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
