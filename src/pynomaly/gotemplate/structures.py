"""Structures whose texts are templates, as in the payload of a webhook."""

from collections.abc import Callable

import yaml


class _Loader(yaml.SafeLoader):
    """Without dates, which JSON does not have."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def rendered(value: object, render: Callable[[str], str]) -> object:
    """A copy in which every text and every key is what ``render`` makes of it.

    A text that renders to YAML of another type than a string (a map, a list, a number) becomes
    that; what is in it is not rendered again. Keys that are no texts are left out. As
    Alertmanager's DeepCopyWithTemplate.
    """
    if isinstance(value, str):
        return _structured(render(value))
    if isinstance(value, list | tuple):
        return [rendered(element, render) for element in value]
    if isinstance(value, dict):
        return {
            render(key): rendered(element, render)
            for key, element in value.items()
            if isinstance(key, str)
        }
    return value


def _structured(text: str) -> object:
    try:
        found = yaml.load(text, _Loader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return text
    return text if isinstance(found, str) else _text_keys(found)


def _text_keys(value: object) -> object:
    if isinstance(value, list):
        return [_text_keys(element) for element in value]
    if isinstance(value, dict):
        return {k: _text_keys(element) for k, element in value.items() if isinstance(k, str)}
    return value
