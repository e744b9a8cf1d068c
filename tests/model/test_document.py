"""YAML with types: every fault is one line that says where, what, and what to do."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, SecretStr, field_validator, model_validator

from pynomaly.model.document import ConfigError, Path, Section, load


class Inner(Section):
    size: int = 1
    for_: str = Field(default="", alias="for")
    password: SecretStr | None = None


class One(Section):
    kind: Literal["one"]
    first: int = 0


class Two(Section):
    kind: Literal["two"]
    second: int = 0


class Root(Section):
    inner: Inner = Inner()
    maybe: Inner | None = None
    listed: list[Inner] = Field(default_factory=list)
    named: dict[str, Inner] = Field(default_factory=dict)
    tagged: list[Annotated[One | Two, Field(discriminator="kind")]] = Field(default_factory=list)
    either: Inner | int = 0
    keys: tuple[SecretStr, ...] = ()
    even: int = 0
    text: str = "x"

    @field_validator("even")
    @classmethod
    def _is_even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("an even number is expected")
        return value

    @model_validator(mode="after")
    def _no_clash(self) -> "Root":
        if self.even == self.inner.size:
            raise ValueError("even and inner.size must differ")
        return self


class Needy(Section):
    name: str


def fault(text: str, model: type[Section] = Root, **more: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        load(text, "f.yml", model, **more)
    assert "hunter2" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("text", ["", "# nothing", "---", "inner:\nlisted:\nnamed:\nkeys:\n"])
def test_an_empty_document_or_section_is_the_defaults(text: str) -> None:
    assert load(text, "f.yml", Root) == Root()


def test_an_empty_value_is_not_silently_a_default() -> None:
    assert fault("even:") == "f.yml:1: even: Input should be a valid integer (found None)"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "f.yml:1: not valid YAML: "),
        ("a: 1\n\tb: 2", "f.yml:2: not valid YAML: "),
        ("a: 1\n---\nb: 2", "f.yml:2: not valid YAML: but found another document"),
        ("- 1", "f.yml:1: expected keys and values, found list"),
        ("just text", "f.yml:1: expected keys and values, found str"),
        ("a: \x01", "f.yml: not text: "),
        ("a: 2024-13-45", "f.yml: not valid YAML: "),
        ("? [a, b]\n: 1", "f.yml:1: not valid YAML: found unhashable key"),
        ("inner: !!python/object:os.system {}", "f.yml:1: not valid YAML: could not determine"),
        ("[" * 5_000, "f.yml: nested too deeply"),
    ],
)
def test_what_is_no_document_is_refused(text: str, said: str) -> None:
    assert fault(text).startswith(said)


NO_INTEGER = "Input should be a valid integer, unable to parse string as an integer (found 'x')"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("even: 1", "1: even: an even number is expected (found 1)"),
        ("\ninner:\n  size: x", f"3: inner.size: {NO_INTEGER}"),
        ("inner:\n  sise: 1", "2: unknown key 'inner.sise'; did you mean 'size'?"),
        ("inner:\n  fro: x", "2: unknown key 'inner.fro'; did you mean 'for'?"),
        ("maybe:\n  zzz: 1", "2: unknown key 'maybe.zzz'; known keys: for, password, size"),
        ("listed:\n- size: 1\n- sise: 2", "3: unknown key 'listed.1.sise'; did you mean 'size'?"),
        ("named:\n  a:\n    sise: 2", "3: unknown key 'named.a.sise'; did you mean 'size'?"),
        (
            "tagged:\n- kind: one\n  fist: 2",
            "3: unknown key 'tagged.0.fist'; did you mean 'first'?",
        ),
        ("tagged:\n- kind: two\n  second: x", f"3: tagged.0.second: {NO_INTEGER}"),
        ("even: 2\ninner: {size: 2}", "1: the document: even and inner.size must differ"),
        ("even: 2\neven: 4", "2: the key 'even' is there twice; keep one"),
    ],
)
def test_a_fault_names_its_line_and_the_nearest_key(text: str, said: str) -> None:
    assert fault(text) == f"f.yml:{said}"


def test_every_fault_is_told() -> None:
    said = fault("even: 1\ninner:\n  size: x\n  a: 1\ntextt: 1").splitlines()
    assert [line.partition(": ")[0] for line in said] == [
        "f.yml:3",
        "f.yml:4",
        "f.yml:1",
        "f.yml:5",
    ]


def test_a_key_that_is_missing_is_named() -> None:
    assert fault("{}", Needy) == "f.yml:1: 'name' is missing"


@pytest.mark.parametrize(
    "text",
    [
        "inner: {password: [hunter2]}",
        "inner: hunter2",
        "maybe: hunter2",
        "listed: [{password: {a: hunter2}}]",
        "listed: hunter2",
        "named: {a: hunter2}",
        "either: hunter2",
        "keys: hunter2",
        "keys: [[hunter2]]",
        "inner: {pasword: hunter2}",
    ],
)
def test_what_may_be_a_secret_is_not_shown(text: str) -> None:
    fault(text)


def test_other_values_are_shown() -> None:
    assert fault("text: [1]") == "f.yml:1: text: Input should be a valid string"
    assert fault("text: 1").endswith("(found 1)")


OVERLAY: dict[Path, Any] = {("inner", "size"): 7, ("maybe", "for"): "x"}


def test_an_overlay_wins_over_the_file_and_leaves_the_rest() -> None:
    root = load("inner: {size: 1, for: kept}\ntext: t", "f.yml", Root, overlay=OVERLAY)
    assert (root.inner.size, root.inner.for_, root.text) == (7, "kept", "t")
    assert root.maybe is not None
    assert root.maybe.for_ == "x"


def test_an_overlay_replaces_what_is_no_section() -> None:
    assert load("inner: nonsense", "f.yml", Root, overlay=OVERLAY).inner.size == 7


def test_a_fault_of_the_overlay_names_its_origin() -> None:
    overlay: dict[Path, Any] = {("inner", "size"): "x"}
    origins: dict[Path, str] = {("inner", "size"): "SIZE"}
    said = fault("inner: {size: 3}\neven: 1", overlay=overlay, origins=origins).splitlines()
    assert said[0].startswith("SIZE: inner.size: Input should be a valid integer")
    assert said[1].startswith("f.yml:2: even: ")


def test_a_section_is_not_changed_after_reading() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Root().even = 2  # type: ignore[misc]
