"""Webhooks: a POST of JSON to any address."""
