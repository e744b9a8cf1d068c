// The alerts: what fires, what is pending, what is held back; from rules and from outside, live.

import { $, $$, boot, h, icon, setText } from "./dom.js";
import { alertChart } from "./alertchart.js";
import { SHAPE, allLabels, commonLabels, noiseMarks, runbookLink, severityMark, stateMark, stateOf, whyLink } from "./alertstate.js";
import { exact, format, withZone } from "./format.js";
import { answer, since, startFrame } from "./frame.js";
import { List, labelText, segmented } from "./list.js";
import { watch } from "./live.js";
import { acknowledgeButton, toggleAcknowledged } from "./acknowledge.js";
import { openSilence } from "./silence.js";
import { address, on, remember } from "./state.js";

const MANY = 10; // greater groups begin closed
const NO_GROUPS = "none";

startFrame();

const query = new URLSearchParams(location.search);
const filter = { state: query.get("state") ?? "", severity: query.get("severity") ?? "", text: query.get("find") ?? "", group: query.get("group") ?? "alertname" };
const toggled = new Set(query.getAll("turned")); // groups that are open or closed against the rule
let snapshot = boot.alerts;
let silences = new Map(boot.silences.silences.map((silence) => [silence.id, silence]));

function row(item) {
  if (item.alerts) return groupRow(item);
  const { summary } = item.annotations;
  return [
    stateMark(stateOf(item)), severityMark(item.severity), h("strong", { title: item.name }, item.name),
    summary ? h("span.wide", { title: summary }, noiseMarks(item), summary, " ", labelText(item.labels)) : h("span.wide", {}, noiseMarks(item), labelText(item.labels)),
    h("span.num", { title: exact(item.value) }, format(item.value)), h("span.muted.num", {}, since(item.active_at * 1000)),
  ];
}

function groupRow({ name, alerts, expanded }) {
  const states = Map.groupBy(alerts, stateOf);
  const parts = ["firing", "pending", "silenced", "inhibited", "maintenance", "suppressed"].filter((state) => states.has(state)).map((state) => `${states.get(state).length} ${state}`);
  const worst = alerts[0];
  return [
    stateMark(stateOf(worst)), severityMark(worst.severity), h("strong", { title: name }, icon(expanded ? "i-open" : "i-closed", "turn"), name),
    h("span.wide.muted", {}, parts.join(", "), " ", labelText(without(commonLabels(alerts), ["alertname", "severity", filter.group]))),
    h("span.num", {}), h("span.muted.num", {}, since(Math.max(...alerts.map((a) => a.active_at)) * 1000)),
  ];
}

const without = (labels, names) => Object.fromEntries(Object.entries(labels).filter(([name]) => !names.includes(name)));

function action(item) {
  if (!boot.alerting) return null;
  const alerts = item.alerts ?? [item];
  if (alerts.every((alert) => alert.silenced.length)) return null;
  const what = item.alerts ? `all ${alerts.length} of ${item.name}` : item.name;
  return h("button.quiet", { type: "button", title: "Silence (s)", "aria-label": `Silence ${what}`, "data-silence": "", onclick: () => openSilence({ labels: commonLabels(alerts) }) }, icon("i-silences"), h("span", {}, "Silence"));
}

function held(alert) {
  const by = alert.silenced.map((id) => {
    const known = silences.get(id);
    return h("span", {}, h("a", { href: address("/silences", { open: id }) }, known?.comment || "a silence"), known ? ` by ${known.by}, until ${withZone(known.ends_at * 1000)}` : "");
  });
  return [
    by.length ? [h("dt", {}, "Silenced by"), h("dd", {}, by.flatMap((each, i) => (i ? ["; ", each] : [each])))] : [],
    alert.maintenance?.length ? [h("dt", {}, "In maintenance"), h("dd", {}, alert.maintenance.map((window) => h("div", {}, h("a", { href: address("/calendar", { open: window.id }) }, window.title), ` until ${withZone(window.ends_at * 1000)}`)))] : [],
    alert.suppressed?.length ? [h("dt", {}, "Suppressed by"), h("dd", {}, h("a", { href: address("/noise", {}) }, alert.suppressed.join(", ")))] : [],
    alert.acknowledged ? [h("dt", {}, "Acknowledged"), h("dd", {}, `by ${alert.acknowledged.by || "somebody"} at ${withZone(alert.acknowledged.at * 1000)}${alert.acknowledged.comment ? `: ${alert.acknowledged.comment}` : ""}`)] : [],
    alert.flapping ? [h("dt", {}, "Flaps"), h("dd", {}, `since ${withZone(alert.flapping.since * 1000)}, ${alert.flapping.changes} changes; calm at ${withZone(alert.flapping.calm_at * 1000)} unless it goes on`)] : [],
    alert.inhibited ? [h("dt", {}, "Inhibited by"), h("dd", {}, h("a", { href: whyLink(alert.inhibited) }, snapshot.alerts.find((a) => a.id === alert.inhibited)?.name ?? "another alert"))] : [],
  ].flat();
}

function detail(alert) {
  const { summary, description, runbook_url: runbook, ...others } = alert.annotations;
  const term = (name, ...value) => [h("dt", {}, name), h("dd", {}, ...value)];
  const links = [
    boot.alerting && alert.state === "firing" ? h("a.button", { href: whyLink(alert.id) }, "Who is told, and why") : null,
    boot.alerting && alert.state === "firing" ? acknowledgeButton(alert) : null,
    alert.expr ? h("a.button", { href: address("/explore", { q: alert.expr }) }, icon("i-explore"), "Explore its expression") : null,
    runbookLink(runbook) ? h("a.button", { href: runbookLink(runbook), rel: "noreferrer" }, "Runbook") : null,
    /^https?:\/\//.test(alert.link) ? h("a.button", { href: alert.link, rel: "noreferrer" }, "Its source") : null,
  ].filter(Boolean);
  const facts = h("dl", {},
    held(alert),
    description ? term("What it means", description) : summary ? term("Summary", summary) : [],
    runbook && !runbookLink(runbook) ? term("Runbook", runbook) : [],
    Object.entries(others).flatMap(([name, value]) => term(name, value)),
    Object.entries(alert.labels).flatMap(([name, value]) => term(name, value)),
    alert.value === null ? [] : term("Value", exact(alert.value)),
    term("Active since", withZone(alert.active_at * 1000)),
    alert.fired_at ? term("Firing since", withZone(alert.fired_at * 1000)) : [],
    alert.source === "rules" ? [] : term("Came by", alert.source),
    alert.expr ? term("Rule", h("code", {}, alert.expr)) : []);
  return h("div.detail.beside", {}, h("div", {}, facts, links.length ? h("div.links", {}, links) : null), boot.alerting ? alertChart(alert.id) : null);
}

function empty(filtered) {
  if (filtered) return [h("strong", {}, "No alert matches"), h("span", {}, `${snapshot.alerts.length} are hidden by the filter.`)];
  return [h("strong.good", {}, icon("s-good", "shape"), " Nothing fires"), h("span", {}, "No alert is firing or pending. Those of rules, and those that others send, appear here by themselves.")];
}

const list = new List($("#list"), { grid: "alert-grid", head: ["State", "Severity", "Alert", "What", "Value", "Since"], row, detail, empty, action });
const counter = h("span.end");

function matches(alert) {
  if (filter.state === "held" ? !alert.held : filter.state && (alert.held || alert.state !== filter.state)) return false;
  if (filter.severity && alert.severity !== filter.severity) return false;
  const text = `${Object.entries(allLabels(alert)).map((pair) => pair.join("=")).join(" ")} ${alert.name} ${stateOf(alert)} ${Object.values(alert.annotations).join(" ")}`.toLowerCase();
  return filter.text.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

const single = (alert) => ({ id: alert.id, key: JSON.stringify(alert), data: alert });

/** Alerts with the same value of the label that groups, in one place; one alone needs no head. */
function grouped(alerts) {
  if (filter.group === NO_GROUPS) return alerts.map(single);
  return [...Map.groupBy(alerts, (alert) => allLabels(alert)[filter.group] ?? "")].flatMap(([value, those]) => {
    if (those.length < 2) return those.map(single);
    const id = `group ${value}`;
    const expanded = (those.length <= MANY || Boolean(filter.text)) !== toggled.has(id);
    const name = value || `no ${filter.group}`;
    const head = {
      id, grid: "alert-grid.group", expanded, data: { name, alerts: those, expanded }, key: JSON.stringify([expanded, those.map((a) => [a.id, stateOf(a), a.severity, a.active_at])]),
      toggle: () => { if (!toggled.delete(id)) toggled.add(id); remember({ turned: [...toggled].slice(0, 20) }); draw(); },
    };
    return [head, ...(expanded ? those.map((alert) => ({ ...single(alert), grid: "alert-grid.member" })) : [])];
  });
}

function draw() {
  const { firing, pending, held: quiet, alerts, total } = snapshot;
  const severe = alerts.some((a) => a.state === "firing" && !a.held && SHAPE[a.severity] === "critical");
  const besides = [pending && `${pending} pending`, quiet && `${quiet} held back`].filter(Boolean).join(", ");
  if (firing) answer(severe ? "critical" : "warning", `${firing} ${firing === 1 ? "alert fires" : "alerts fire"}${besides ? `, ${besides}` : ""}`);
  else if (pending) answer("warning", `Nothing yet: ${besides}`);
  else answer("good", quiet ? `Nothing else: ${besides}` : "Nothing");
  const shown = alerts.filter(matches);
  list.show(grouped(shown), shown.length < alerts.length);
  const cut = total > alerts.length ? `, the gravest of ${total}` : "";
  setText(counter, shown.length < alerts.length ? `${shown.length} of ${alerts.length}${cut}` : `${firing} firing, ${pending} pending, ${quiet} held back${cut}`);
  offerGroups();
}

function change(name, value) {
  filter[name] = value;
  remember({ [{ text: "find" }[name] ?? name]: (name === "group" && value === "alertname" ? "" : value) || null });
  draw();
}

const choice = h("select", { "aria-label": "Group by", onchange: () => change("group", choice.value) });

/** Alerts can be grouped by any label that some have. */
function offerGroups() {
  const names = [...new Set(["alertname", "severity", ...snapshot.alerts.flatMap((a) => Object.keys(a.labels))].concat(filter.group === NO_GROUPS ? [] : filter.group))].slice(0, 40);
  const offered = JSON.stringify([names, filter.group]);
  if (choice.dataset.offered === offered || document.activeElement === choice) return;
  choice.dataset.offered = offered;
  choice.replaceChildren(...[...names, NO_GROUPS].map((name) => h("option", { value: name, selected: name === filter.group }, name === NO_GROUPS ? "Not grouped" : `By ${name === "alertname" ? "name" : name}`)));
}

const severities = () => [...new Set(["critical", "warning", "info", ...snapshot.alerts.map((a) => a.severity).filter(Boolean)])].slice(0, 7);
$("#filters").replaceChildren(
  segmented("State", [["", "All"], ["firing", "Firing"], ["pending", "Pending"], ["held", "Held back"]], filter.state, (v) => change("state", v)),
  segmented("Severity", [["", "Any"], ...severities().map((s) => [s, s])], filter.severity, (v) => change("severity", v)),
  choice,
  h("input", { type: "search", placeholder: "Filter by name, label, text  (/)", "aria-label": "Filter alerts", "data-filter": "", value: filter.text, oninput: (event) => change("text", event.target.value.trim()) }), counter);
draw();
on("alerts", (data) => { snapshot = { ...data }; draw(); });
watch("silences", (data) => { silences = new Map(data.silences.map((silence) => [silence.id, silence])); });
document.addEventListener("keydown", (event) => {
  const focused = document.activeElement.closest?.(".item");
  if (event.key === "a" && !(event.ctrlKey || event.metaKey || event.altKey) && focused && !$("dialog[open]") && document.activeElement.matches("[data-row]")) {
    const alert = list.items.get(document.activeElement.dataset.row)?.data;
    if (!boot.alerting || alert?.state !== "firing") return;
    event.preventDefault();
    toggleAcknowledged(alert);
    return;
  }
  if (event.key !== "s" || event.ctrlKey || event.metaKey || event.altKey || !focused || $("dialog[open]") || !document.activeElement.matches("[data-row]")) return;
  const button = $$("[data-silence]", focused)[0];
  if (!button) return;
  event.preventDefault();
  button.click();
});
