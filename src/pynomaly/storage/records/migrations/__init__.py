"""Alembic's migrations of the records, run when the product starts."""
