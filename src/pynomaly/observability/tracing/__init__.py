"""Traces by OpenTelemetry: W3C context in and out, OTLP to a receiver."""
