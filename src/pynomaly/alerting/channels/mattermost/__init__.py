"""Mattermost."""
