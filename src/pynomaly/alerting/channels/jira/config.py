"""``jira_configs``."""

from typing import Any, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from pynomaly.alerting.channels.config import ChannelDefaults, HttpChannelConfig
from pynomaly.alerting.channels.fields import Text, Url
from pynomaly.model.document import Section, Untyped
from pynomaly.model.duration import Duration


class JiraField(Section):
    """A text of an issue, and whether it is written again when the issue is updated."""

    template: Text = ""
    enable_update: bool = True

    @model_validator(mode="before")
    @classmethod
    def _text_alone(cls, data: Any) -> Any:
        return {"template": data} if isinstance(data, str) else data


class JiraConfig(HttpChannelConfig):
    """An issue for each group of alerts."""

    kind: ClassVar[str] = "jira"

    api_url: Url | None = None
    api_type: Literal["auto", "cloud", "datacenter"] = "auto"
    project: Text = Field(min_length=1)
    summary: JiraField = JiraField(template='{{ template "jira.default.summary" . }}')
    description: JiraField = JiraField(template='{{ template "jira.default.description" . }}')
    labels: list[Text] = Field(default_factory=list)
    priority: Text = '{{ template "jira.default.priority" . }}'
    issue_type: Text = Field(min_length=1)
    reopen_transition: Text = ""
    resolve_transition: Text = ""
    wont_fix_resolution: Text = ""
    reopen_duration: Duration = 0.0
    fields: dict[Text, Untyped] = Field(default_factory=dict)

    def inherit(self, defaults: ChannelDefaults) -> Self:
        """With the address and the ``http_config`` of ``global``.

        Raises:
            ValueError: there is no address.
        """
        found = super().inherit(defaults)
        url = self.api_url or defaults.jira_api_url
        if url is None:
            raise ValueError("no address of Jira: set api_url here, or jira_api_url in global")
        return found.model_copy(update={"api_url": url})

    @property
    def base(self) -> str:
        """Where its REST API begins; there is one after ``inherit``."""
        return (self.api_url or "").rstrip("/")

    @property
    def cloud(self) -> bool:
        """Whether it is Atlassian's, which searches in another way than one's own."""
        if self.api_type != "auto":
            return self.api_type == "cloud"
        return (urlsplit(self.base).hostname or "").endswith("atlassian.net")
