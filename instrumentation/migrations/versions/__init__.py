"""The migrations, one file for each revision. Alembic loads them by their paths."""
