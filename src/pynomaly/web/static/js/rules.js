// The rules: what each does, how it is doing, live.

import { $, boot, h, icon, setText } from "./dom.js";
import { exact, format, withZone } from "./format.js";
import { answer, since, startFrame } from "./frame.js";
import { watch } from "./live.js";
import { List, labelText, segmented } from "./list.js";
import { ORDER, findingCount, findings, isNumber, ruleState, runbookLink, stateMark, written } from "./rulestate.js";
import { address, remember } from "./state.js";

startFrame();

const query = new URLSearchParams(location.search);
const filter = { state: query.get("state") ?? "", kind: query.get("kind") ?? "", text: query.get("find") ?? "" };
let book = boot.rulebook;
let snapshot = boot.rules;
let asking = false;

const linkTo = (rule) => address("/rule", { id: rule.id });

function row({ rule, now }) {
  return [
    stateMark(ruleState(rule, now)),
    h("span", {}, h("strong", { title: rule.name }, rule.name), findingCount(rule)),
    now.error ? h("span.critical.wide", { title: now.error }, now.error) : h("code.wide.muted", { title: rule.expr }, rule.expr),
    h("span.muted", { title: `${rule.group}, ${rule.file}` }, rule.group),
    h("span.num", { title: exact(now.value) }, isNumber(now.value) ? format(now.value) : (now.value ?? "–")),
    h("span.num", { title: "Series in the last answer" }, String(now.found)),
    h("span.num", { title: "How long the last evaluation took" }, now.last ? format(now.seconds, "s") : "–"),
    h("span.muted.num", {}, now.last ? since(now.last * 1000) : "never"),
  ];
}

function detail({ rule, now }) {
  const term = (name, ...value) => [h("dt", {}, name), h("dd", {}, ...value)];
  const links = [
    h("a.button.primary", { href: linkTo(rule) }, "Open the rule"),
    h("a.button", { href: address("/explore", { q: rule.expr }) }, icon("i-explore"), "Explore its expression"),
    rule.kind === "alert" && now.firing + now.pending ? h("a.button", { href: address("/alerts", { find: rule.name }) }, "Its alerts") : null,
    runbookLink(rule),
  ].filter(Boolean);
  return h("div.detail", {}, findings(rule), h("dl", {},
    now.error ? term("Error", h("span.critical", {}, now.error)) : [],
    term("Expression", h("code", {}, rule.expr)),
    rule.for ? term("For", written(rule.for)) : [],
    rule.keep ? term("Keeps firing for", written(rule.keep)) : [],
    Object.keys(rule.labels).length ? term("Adds labels", labelText(rule.labels)) : [],
    Object.entries(rule.annotations).flatMap(([name, value]) => term(name, value)),
    term("Group", `${rule.group}, every ${written(rule.interval)}, in ${rule.file}`),
    now.last ? term("Last evaluation", withZone(now.last * 1000)) : []), h("div.links", {}, links));
}

const empty = (filtered) => (filtered
  ? [h("strong", {}, "No rule matches"), h("span", {}, `${snapshot.total} are hidden by the filter.`)]
  : [h("strong", {}, "No rules are evaluated"), h("span", {}, "Name rule files in rule_files of a prometheus.yml, or switch the shipped rules on (rules.defaults).")]);

const list = new List($("#list"), { grid: "rule-grid", words: 4, head: ["State", "Rule", "Expression or error", "Group", "Value", "Series", "Took", "Evaluated"], row, detail, empty });
const counter = h("span.end");

const every = () => book.groups.flatMap((group) => group.rules.map((rule) => ({ ...rule, group: group.name, file: group.file, interval: group.interval })));
const nothing = { state: "unknown", health: "unknown", error: "", value: null, found: 0, firing: 0, pending: 0, seconds: 0, last: 0 };

function matches({ rule, now }) {
  if (filter.kind && rule.kind !== filter.kind) return false;
  if (filter.state && ruleState(rule, now) !== filter.state) return false;
  const text = `${rule.name} ${rule.group} ${rule.file} ${rule.expr} ${Object.entries(rule.labels).map((pair) => pair.join("=")).join(" ")} ${now.error}`.toLowerCase();
  return filter.text.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

function tell(all) {
  const firing = all.filter(({ now, rule }) => now.firing && rule.labels.severity !== "none").length;
  if (!snapshot.total) answer("unknown", "There are none");
  else if (snapshot.failing) answer("critical", `${snapshot.failing} of ${snapshot.total} ${snapshot.failing === 1 ? "does" : "do"} not`);
  else if (all.every(({ now }) => !now.last)) answer("unknown", "Not evaluated yet");
  else answer("good", `Yes, all ${snapshot.total}${firing ? `; ${firing} ${firing === 1 ? "fires" : "fire"}` : ""}`);
}

function draw() {
  const all = every().map((rule) => ({ rule, now: snapshot.rules[rule.id] ?? nothing }));
  tell(all);
  const shown = all.filter(matches).map((each, i) => [ORDER[ruleState(each.rule, each.now)], i, each]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  list.show(shown.map(([, , data]) => ({ id: data.rule.id, key: JSON.stringify([data.now, book.version]), data })), shown.length < all.length);
  setText(counter, shown.length < all.length ? `${shown.length} of ${all.length}` : `${all.length} ${all.length === 1 ? "rule" : "rules"} in ${book.groups.length} ${book.groups.length === 1 ? "group" : "groups"}`);
}

async function renew() {
  if (asking) return;
  asking = true;
  try {
    const response = await fetch("/data/rulebook");
    if (response.ok) book = await response.json();
  } finally {
    asking = false;
  }
  draw();
}

function change(name, value) {
  filter[name] = value;
  remember({ [{ text: "find" }[name] ?? name]: value || null });
  draw();
}

$("#filters").replaceChildren(
  segmented("State", [["", "All"], ["failing", "Failing"], ["firing", "Firing"], ["pending", "Pending"]], filter.state, (v) => change("state", v)),
  segmented("Kind", [["", "Any"], ["alert", "Alerting"], ["record", "Recording"]], filter.kind, (v) => change("kind", v)),
  h("input", { type: "search", placeholder: "Filter by name, group, expression, label", "aria-label": "Filter rules", value: filter.text, oninput: (event) => change("text", event.target.value.trim()) }), counter);
draw();
watch("rules", (data) => {
  snapshot = data;
  if (data.version === book.version) draw();
  else renew();
});
