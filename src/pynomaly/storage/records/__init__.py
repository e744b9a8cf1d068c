"""Relational state on SQLite or PostgreSQL."""
