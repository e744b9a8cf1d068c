"""The reference of settings is complete and current."""

from pathlib import Path

import pytest
import yaml

from pynomaly.model.document import load
from pynomaly.server.environment import OPTIONS, VARIABLES
from pynomaly.server.sections import Configuration
from pynomaly.server.settings_reference import Setting, as_markdown, describe

ROOT = Path(__file__).parents[2]
SETTINGS = describe()
OPTIONAL = ("[].", ".webhook.", ".heartbeat.")
"""Parts of what is not there by default."""


def test_the_page_is_current() -> None:
    """Renew it with: python -m pynomaly.server.settings_reference > docs/reference/…"""
    assert (ROOT / "docs/reference/configuration.md").read_text() == as_markdown()


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.name)
def test_every_setting_says_what_it_means(setting: Setting) -> None:
    assert setting.help.endswith("."), setting.name


def test_every_variable_and_option_sets_something_that_exists() -> None:
    names = {s.name for s in SETTINGS}
    for path in [v.path for v in VARIABLES] + list(OPTIONS.values()):
        assert ".".join(path) in names


@pytest.mark.parametrize(
    "setting",
    [s for s in SETTINGS if s.default and not any(part in s.name for part in OPTIONAL)],
    ids=lambda s: s.name,
)
def test_a_default_written_into_a_file_changes_nothing(setting: Setting) -> None:
    value: object = setting.default
    if setting.default[:1] in "[{0123456789tf" and not setting.default.endswith(("s", "m", ".1")):
        value = yaml.safe_load(setting.default)
    for name in reversed(setting.name.split(".")):
        value = {name: value}
    assert load(yaml.safe_dump(value), "x", Configuration) == Configuration()
