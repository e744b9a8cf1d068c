"""Jira."""
