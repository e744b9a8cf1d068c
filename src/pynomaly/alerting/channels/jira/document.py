"""Descriptions for version 3 of Jira's API, which takes documents instead of texts.

Source of the form: Atlassian Document Format, version 1.
"""

from typing import Any

import orjson


def as_document(text: str) -> Any:
    """The document that a text is (JSON), or one whose paragraphs are those of the text.

    Alertmanager refuses a text here; people upgrade the address and not the template.
    """
    try:
        found = orjson.loads(text)
    except ValueError:
        found = None
    if isinstance(found, dict):
        return found
    paragraphs = [part for part in text.strip().split("\n\n") if part.strip()]
    return {"type": "doc", "version": 1, "content": [_paragraph(part) for part in paragraphs]}


def _paragraph(text: str) -> dict[str, Any]:
    content: list[dict[str, Any]] = []
    for line in text.split("\n"):
        if content:
            content.append({"type": "hardBreak"})
        if line:
            content.append({"type": "text", "text": line})
    return {"type": "paragraph", "content": content}
