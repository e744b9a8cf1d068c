"""Who may come in."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, StringConstraints, field_validator, model_validator

from pynomaly.access.errors import InsecureBinding
from pynomaly.model.document import Section

_SHORTEST_SECRET = 8


class AccessSettings(Section):
    """How requests prove who they are. Secrets are better kept in files or the environment."""

    token: SecretStr | None = Field(
        default=None,
        description="Accepted as `Authorization: Bearer TOKEN`. At least 8 characters.",
    )
    token_file: Path | None = Field(
        default=None, description="A file with the token; read when the server starts."
    )
    username: Annotated[str, StringConstraints(min_length=1, pattern=r"^[^:\x00-\x1f]+$")] = Field(
        default="admin", description="The user name of the password."
    )
    password: SecretStr | None = Field(
        default=None,
        description="Accepted by HTTP Basic authentication; a browser asks for it. "
        "At least 8 characters.",
    )
    password_file: Path | None = Field(
        default=None, description="A file with the password; read when the server starts."
    )
    trust_loopback: bool = Field(
        default=True,
        description="Whether a request from this machine needs no login. Set it to false when "
        "others have accounts on this machine, or when a reverse proxy on it adds no "
        "X-Forwarded-For header.",
    )
    allowed_origins: tuple[str, ...] = Field(
        default=(),
        description="Further origins (`https://portal.example.com`) whose pages may change "
        "things and open sockets here.",
    )
    audit_retention_days: int = Field(
        default=365, ge=1, description="How long rows of the audit log are kept."
    )
    jwt_secret_key: SecretStr | None = Field(
        default=None,
        description="Will sign the login tokens of a later version.",
        json_schema_extra={"reserved": True},
    )
    encryption_key: SecretStr | None = Field(
        default=None,
        description="Will encrypt stored secrets in a later version.",
        json_schema_extra={"reserved": True},
    )

    @field_validator("token", "password")
    @classmethod
    def _long_enough(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value()) < _SHORTEST_SECRET:
            raise ValueError(f"it is shorter than {_SHORTEST_SECRET} characters")
        return secret

    @model_validator(mode="after")
    def _consistent(self) -> "AccessSettings":
        for name in ("token", "password"):
            if getattr(self, name) is not None and getattr(self, f"{name}_file") is not None:
                raise ValueError(f"{name} and {name}_file are both set; keep one")
        if not self.trust_loopback and not self.has_login:
            raise ValueError("trust_loopback is false, so a token or a password must be set")
        return self

    @property
    def has_login(self) -> bool:
        """Whether anyone but the local administrator can come in."""
        return any((self.token, self.token_file, self.password, self.password_file))

    def read_token(self) -> str:
        """The token, or the empty string.

        Raises:
            InsecureBinding: the file cannot be read, or holds no usable token.
        """
        return _secret("access.token_file", self.token, self.token_file)

    def read_password(self) -> str:
        """The password, or the empty string.

        Raises:
            InsecureBinding: the file cannot be read, or holds no usable password.
        """
        return _secret("access.password_file", self.password, self.password_file)


def _secret(setting: str, value: SecretStr | None, path: Path | None) -> str:
    if path is None:
        return value.get_secret_value() if value else ""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise InsecureBinding(f"{setting}: cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InsecureBinding(f"{setting}: {path} is not UTF-8 text.") from error
    if len(text) < _SHORTEST_SECRET:
        raise InsecureBinding(
            f"{setting}: what {path} holds is shorter than {_SHORTEST_SECRET} characters."
        )
    return text
