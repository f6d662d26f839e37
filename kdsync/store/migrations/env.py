"""Alembic's entry point: migrations run on the connection that Database.migrate gives them."""

from __future__ import annotations

from alembic import context

from kdsync.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
