"""Push, for what ends before anybody could scrape it: remote write or OTLP."""
