"""Reading ``alertmanager.yml``: what it means, and what is wrong with it, with lines."""

import subprocess
from pathlib import Path

import pytest

from pynomaly.alerting.alertmanager.config import AlertmanagerConfig
from pynomaly.alerting.alertmanager.dump import as_yaml
from pynomaly.alerting.alertmanager.load import (
    load_alertmanager,
    parse_alertmanager,
    remarks_on,
)
from pynomaly.alerting.alertmanager.templates import load_templates
from pynomaly.gotemplate.times import Time
from pynomaly.model.document import ConfigError

NOWHERE = Path("/nowhere")


def parsed(text: str) -> AlertmanagerConfig:
    return parse_alertmanager(text, "am.yml", NOWHERE)


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parsed(text)
    return caught.value.message.splitlines()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["am.yml:1: 'route' is missing"]),
        ("receivers: [{name: a}]", ["am.yml:1: 'route' is missing"]),
        # The guide's own file names a receiver that it does not have.
        (
            """
            route:
              group_by: [alertname]
              receiver: 'web.hook'
              routes:
                - match: {severity: critical}
                  receiver: pagerduty-critical
            receivers:
              - name: pagerduty-critical
            """,
            [
                "am.yml:4: route.receiver: no receiver is called 'web.hook'; add one under "
                "`receivers`: `- name: web.hook`"
            ],
        ),
        (
            """
            route: {receiver: a, routes: [{receiver: team-bd}]}
            receivers:
              - name: a
              - name: team-db
              - name: a
            """,
            [
                "am.yml:2: route.routes.0.receiver: no receiver is called 'team-bd'; did you mean "
                "'team-db'?",
                "am.yml:6: receivers.2.name: the name 'a' is taken already",
            ],
        ),
        (
            """
            route:
              receiver: a
              continue: true
              match: {x: y}
              match_re: {x: y}
              matchers: [x=y]
              mute_time_intervals: [n]
              active_time_intervals: [n]
            receivers: [{name: a}]
            time_intervals: [{name: n}]
            """,
            [
                "am.yml:4: route.continue: nothing comes after the root",
                "am.yml:5: route.match: the root takes every alert; put it below",
                "am.yml:6: route.match_re: the root takes every alert; put it below",
                "am.yml:7: route.matchers: the root takes every alert; put it below",
                "am.yml:8: route.mute_time_intervals: the root cannot be muted; put it below",
                "am.yml:9: route.active_time_intervals: the root cannot be muted; put it below",
            ],
        ),
        (
            "route: {routes: []}\nreceivers: [{name: a}]",
            ["am.yml:1: route: the root needs a receiver, for alerts no other route takes"],
        ),
        (
            """
            route:
              receiver: a
              routes:
                - mute_time_intervals: [offhour]
                - active_time_intervals: [x]
            receivers: [{name: a}]
            mute_time_intervals: [{name: offhours}]
            time_intervals: [{name: offhours}]
            """,
            [
                "am.yml:5: route.routes.0.mute_time_intervals: no time interval is called "
                "'offhour'; did you mean 'offhours'?",
                "am.yml:6: route.routes.1.active_time_intervals: no time interval is called 'x'; "
                "add one under `time_intervals`: `- name: x`",
                "am.yml:9: time_intervals.0.name: the name 'offhours' is taken already",
            ],
        ),
        (
            """
            route:
              receiver: a
              group_by: [x, '...']
              group_interval: 0s
              repeat_interval: 0s
              routes:
                - group_by: [x, x]
                  matchers: ['a', 'b=~"("']
                - match: {a-b: c}
                  match_re: {a: '('}
            """,
            [
                "am.yml:4: route.group_by: '...' stands for all labels; it cannot be beside others",
                "am.yml:8: route.routes.0.group_by: the label 'x' is there twice",
                "am.yml:9: route.routes.0.matchers.0: 'a' is not a matcher such as "
                "severity=\"critical\" (found 'a')",
                "am.yml:9: route.routes.0.matchers.1: '(' is not a valid RE2 regular expression: "
                "missing ): ( (found 'b=~\"(\"')",
                "am.yml:10: route.routes.1.match.a-b: 'a-b' is not a label's name of letters, "
                "digits and _; other names need `matchers` (found 'a-b')",
                "am.yml:11: route.routes.1.match_re.a: '(' is not a valid RE2 regular expression: "
                "missing ): ( (found '(')",
                "am.yml:5: route.group_interval: it cannot be zero; give a duration such as 5m "
                "(found '0s')",
                "am.yml:6: route.repeat_interval: it cannot be zero; give a duration such as 5m "
                "(found '0s')",
            ],
        ),
        (
            """
            route: {receiver: a}
            receivers:
              - name: a
                labels: {name: b}
                email_configs:
                  - to: ops@example.com
                slack_config: []
            """,
            [
                "am.yml:8: unknown key 'receivers.0.slack_config'; did you mean 'slack_configs'?",
            ],
        ),
        (
            """
            route: {receiver: a}
            receivers:
              - name: a
                labels: {name: b}
                email_configs:
                  - to: ops@example.com
                  - {to: ops@example.com, smarthost: 'mail:25'}
                slack_configs: [{channel: '#ops'}]
            """,
            [
                "am.yml:5: receivers.0.labels.name: it is 'b', which must be the receiver's name, "
                "'a'",
                "am.yml:7: a: email_configs.0: no mail server: set smarthost here, or "
                "smtp_smarthost under global",
                "am.yml:8: a: email_configs.1: no sender: set from here, or smtp_from under global",
                "am.yml:9: a: slack_configs.0: no Slack address: set api_url or app_token here, or "
                "slack_api_url or slack_app_token under global",
            ],
        ),
        (
            "route: {receiver: a}\nreceivers: [{name: a}]\ntime_intervals:\n- time_intervals: []",
            ["am.yml:4: 'time_intervals.0.name' is missing"],
        ),
    ],
)
def test_every_fault_is_told_with_its_line_and_its_remedy(text, expected):
    assert faults(text) == expected


def test_secrets_are_not_in_messages():
    text = """
    global: {slack_api_url: 'hooks.slack.com/secret-part'}
    route: {receiver: a}
    receivers: [{name: a}]
    """
    assert "secret-part" not in "\n".join(faults(text))


def test_a_channel_has_what_it_does_not_say_from_global():
    config = parsed(
        """
        global:
          smtp_smarthost: mail.example.com:587
          smtp_from: am@example.com
          smtp_auth_password_file: secrets/mail
          slack_api_url: https://hooks.example.com/global
          pagerduty_url: https://pd.example.com/enqueue
        route: {receiver: a}
        receivers:
          - name: a
            email_configs: [{to: x@example.com}, {to: y@example.com, from: me@example.com}]
            slack_configs: [{channel: '#a'}, {api_url: 'https://hooks.example.com/own'}]
            pagerduty_configs: [{routing_key: key}]
        """
    )
    receiver = config.receiver("a")
    first, second = receiver.email_configs
    assert (first.from_, first.smarthost) == ("am@example.com", "mail.example.com:587")
    assert first.auth_password_file == "/nowhere/secrets/mail"
    assert second.from_ == "me@example.com"
    urls = [slack.api_url.get_secret_value() for slack in receiver.slack_configs if slack.api_url]
    assert urls == ["https://hooks.example.com/global", "https://hooks.example.com/own"]
    assert receiver.pagerduty_configs[0].url == "https://pd.example.com/enqueue"


def test_integrations_come_in_alertmanagers_order_each_kind_counted_by_itself():
    config = parsed(
        """
        route: {receiver: a}
        receivers:
          - name: a
            slack_configs: [{api_url: 'http://s/1'}, {api_url: 'http://s/2'}]
            webhook_configs: [{url: 'http://w/1'}]
        """
    )
    found = [(i.kind, i.index) for i in config.receiver("a").integrations()]
    assert found == [("webhook", 0), ("slack", 0), ("slack", 1)]
    assert dict(config.receiver("a").label_set()) == {"name": "a"}


def test_values_are_what_they_look_like_and_free_payloads_are_what_yaml_takes_them_for():
    config = parsed(
        """
        route:
          receiver: off
          routes: [{match: {code: 007, when: 17:00}}]
        receivers:
          - name: off
            slack_configs:
              - api_url: http://s/
                channel: 1234
                send_resolved: yes
                blocks: [{emoji: true, number: 5, text: "5", clock: 17:00}]
        """
    )
    slack = config.receiver("off").slack_configs[0]
    assert config.route.routes[0].match == {"code": "007", "when": "17:00"}
    assert (slack.channel, slack.send_resolved) == ("1234", True)
    assert slack.blocks == [{"emoji": True, "number": 5, "text": "5", "clock": "17:00"}]


def test_old_and_new_words_of_inhibition_add_up():
    config = parsed(
        """
        route: {receiver: a}
        receivers: [{name: a}]
        inhibit_rules:
          - name: down
            source_match: {severity: critical}
            source_match_re: {job: node|db}
            source_matchers: [up="0"]
            target_match: {severity: warning}
            equal: [cluster, '"quoted"']
        """
    )
    (rule,) = config.rules_of_inhibition
    assert [str(m) for m in rule.source_matchers] == [
        'job=~"^(?:node|db)$"',
        'severity="critical"',
        'up="0"',
    ]
    assert [str(m) for m in rule.target_matchers] == ['severity="warning"']
    assert (rule.name, rule.equal) == ("down", frozenset({"cluster", '"quoted"'}))


def test_both_keys_of_intervals_can_be_named_by_routes():
    config = parsed(
        """
        route: {receiver: a, routes: [{mute_time_intervals: [old, new]}]}
        receivers: [{name: a}]
        mute_time_intervals: [{name: old, time_intervals: [{years: ['2026']}]}]
        time_intervals: [{name: new, time_intervals: [{years: ['2027']}]}]
        """
    )
    assert config.intervals.mutes(("old", "new"), 1_767_225_600.0) == ("old",)


FULL = """
global:
  resolve_timeout: 2m
  smtp_smarthost: mail.example.com:25
  smtp_from: am@example.com
  smtp_auth_password: the-password
route:
  receiver: a
  group_by: ['...']
  repeat_interval: 3d
  routes:
    - matchers: [severity=~"a|b", 'team="x",level!="1"']
      match_re: {owner: b.*}
      active_time_intervals: [office]
      continue: true
receivers:
  - name: a
    webhook_configs:
      - url: https://hook.example.com/the-token
        timeout: 1m30s
        http_config: {basic_auth: {username: u, password: the-other-password}}
    email_configs: [{to: x@example.com}]
inhibit_rules: [{source_matchers: [a=b], target_match: {c: d}, equal: [e]}]
time_intervals:
  - name: office
    time_intervals:
      - times: [{start_time: 09:00, end_time: 24:00}]
        weekdays: [monday:friday, sunday]
        days_of_month: ['1:-1']
        months: [january]
        years: ['2026:2030']
        location: Europe/Berlin
templates: [t/*.tmpl]
"""


def test_a_configuration_is_shown_as_a_document_that_reads_the_same_but_for_its_secrets():
    config = parsed(FULL)
    shown = as_yaml(config)
    for secret in ("the-password", "the-token", "the-other-password"):
        assert secret not in shown
    again = parsed(shown)
    assert again.route == config.route
    assert again.time_intervals == config.time_intervals
    assert again.rules_of_inhibition == config.rules_of_inhibition
    assert again.templates == config.templates
    assert "pagerduty_url" not in shown, "a default was not written"


@pytest.mark.needs("amtool")
def test_amtool_reads_what_is_shown(tmp_path: Path):
    path = tmp_path / "shown.yml"
    text = FULL.replace("        timeout: 1m30s\n", "")  # which Debian's does not know
    path.write_text(as_yaml(parsed(text)))
    done = subprocess.run(["amtool", "check-config", path], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout


def test_templates_beside_the_file_are_read_and_checked(tmp_path: Path):
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "ours.tmpl").write_text('{{ define "ours" }}hello {{ .Status }}{{ end }}')
    path = tmp_path / "alertmanager.yml"
    path.write_text(FULL)
    templates = load_templates(load_alertmanager(path))
    assert templates.text('{{ template "ours" . }}', {"Status": "firing"}, Time()) == "hello firing"
    (tmp_path / "t" / "broken.tmpl").write_text("{{ define }}")
    with pytest.raises(ConfigError, match=r"broken\.tmpl: "):
        load_alertmanager(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"am\.yml: cannot be read: No such file"):
        load_alertmanager(tmp_path / "am.yml")


def test_what_is_odd_though_valid_is_remarked_with_its_line(tmp_path: Path):
    path = tmp_path / "am.yml"
    path.write_text(
        """
route:
  receiver: a
  routes:
    - matchers: ['team=data base']
    - receiver: a
    - matchers: [team=db]
receivers:
  - name: a
    slack_configs: [{api_url_file: slack.url}]
  - name: b
time_intervals: [{name: unused}]
templates: ['*.tmpl']
tracing: {endpoint: x}
"""
    )
    found = [line.removeprefix(f"{path}:") for line in remarks_on(path)]
    assert found == [
        "5: route.routes.0.matchers.0: 'team=data base' is in the classic form only; write "
        'team="data base" instead',
        "7: route.routes.2: no alert gets here; the route 1 before it takes every alert, and does "
        "not continue",
        f"10: receivers.0.slack_configs.0.api_url_file: there is no file {tmp_path}/slack.url now",
        "11: receivers.1: no route goes to 'b'",
        "12: time_intervals.0: no route uses 'unused'",
        f"13: templates.0: no file matches {tmp_path}/*.tmpl",
        "14: tracing: it has no effect here",
    ]


def test_texts_that_would_fail_when_somebody_should_be_told_are_remarked(tmp_path: Path):
    path = tmp_path / "am.yml"
    (tmp_path / "ours.tmpl").write_text('{{ define "ours" }}{{ .CommonLabels.alertname }}{{ end }}')
    path.write_text(
        """
route: {receiver: a}
receivers:
  - name: a
    slack_configs:
      - api_url: 'http://x/{{ .Secret }}'
        title: '{{ template "ours" . }}: {{ (index .Alerts 1).Labels.instance }}'
        text: '{{ .CommonLabel.x }}'
        fields: [{title: a, value: '{{ template "theirs" . }}'}]
    email_configs:
      - to: a@example.com
        from: b@example.com
        smarthost: mail:25
        html: '{{ range .Alerts }}<b>{{ .Labels.x }}</b>'
        headers: {Subject: '{{ .GroupLabels.alertname | toUpper }}'}
templates: [ours.tmpl]
"""
    )
    found = [line.removeprefix(f"{path}:") for line in remarks_on(path)]
    assert [line.split(": it fails with an example: ")[0] for line in found] == [
        "8: receivers.0.slack_configs.0.text",
        "9: receivers.0.slack_configs.0.fields.0.value",
        "14: receivers.0.email_configs.0.html",
    ]
    assert "can't evaluate field CommonLabel" in found[0]
    assert "theirs" in found[1]
    assert "unexpected EOF" in found[2]
