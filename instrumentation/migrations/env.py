"""Alembic's environment: runs the migrations on the connection that :func:`..upgrade` hands over.

Alembic executes this file by its path; it is no module of the package. The transaction is the caller's, so that a
migration happens wholly or not at all.
"""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="seasoned_version",
    transactional_ddl=False,
)
context.run_migrations()
