"""``sns_configs``."""

from typing import ClassVar, Self

from pydantic import Field, SecretStr, model_validator

from pynomaly.alerting.channels.config import HttpChannelConfig
from pynomaly.alerting.channels.fields import Secret, Text
from pynomaly.model.document import Section


class SigV4(Section):
    """Credentials of Amazon's."""

    region: Text = ""
    access_key: Text = ""
    secret_key: Secret = SecretStr("")
    profile: Text = ""
    role_arn: Text = ""
    external_id: Text = ""
    use_fips_sts_endpoint: bool = False
    service_name: Text = ""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if bool(self.access_key) != bool(self.secret_key.get_secret_value()):
            raise ValueError("sigv4 needs both access_key and secret_key, or neither")
        return self


class SNSConfig(HttpChannelConfig):
    """A message to a topic, an endpoint or a telephone."""

    kind: ClassVar[str] = "sns"

    api_url: Text = ""
    sigv4: SigV4 = SigV4()
    topic_arn: Text = ""
    phone_number: Text = ""
    target_arn: Text = ""
    subject: Text = '{{ template "sns.default.subject" . }}'
    message: Text = '{{ template "sns.default.message" . }}'
    attributes: dict[Text, Text] = Field(default_factory=dict)
    use_aws_http_client: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        if sum(map(bool, (self.topic_arn, self.phone_number, self.target_arn))) != 1:
            raise ValueError("exactly one of topic_arn, phone_number and target_arn is needed")
        return self
