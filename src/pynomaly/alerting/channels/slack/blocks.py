"""The message of blocks that Slack gets where no other form is configured."""

from typing import Any

from pynomaly.alerting.channels.messages import Message, shortened

# Slack's limits: https://docs.slack.dev/reference/block-kit/blocks
_MOST_OF_A_HEADER = 150
_MOST_OF_A_SECTION = 3000


def default_blocks(message: Message) -> list[dict[str, Any]]:
    """A header, the alerts, and a link; their texts are those of ``slack.default.…``."""
    title = message.text('{{ template "slack.default.title" . }}').strip()
    text = message.text('{{ template "slack.default.text" . }}').strip()
    link = message.text('{{ template "slack.default.titlelink" . }}').strip()
    footer = message.text('{{ template "slack.default.footer" . }}').strip()
    header = shortened(title, _MOST_OF_A_HEADER)
    blocks = [{"type": "header", "text": {"type": "plain_text", "text": header}}] if title else []
    if text:
        blocks.append({"type": "section", "text": _markdown(whole_lines(text, _MOST_OF_A_SECTION))})
    if link.startswith(("http://", "https://")):
        footer = f"<{link}|All alerts> {footer}".strip()
    elements = {"type": "context", "elements": [_markdown(shortened(footer, _MOST_OF_A_SECTION))]}
    return [*blocks, elements] if footer else list(blocks)


def whole_lines(text: str, most: int) -> str:
    """At most so many characters, cut after a line, so that no link is cut in two."""
    if len(text) <= most:
        return text
    cut = text.rfind("\n", 0, most - 2)
    return text[:cut] + "\n…" if cut > 0 else shortened(text, most)


def _markdown(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text}
