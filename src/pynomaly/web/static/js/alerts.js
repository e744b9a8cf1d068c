// The alerts: what fires, what is pending, live.

import { $, boot, h, icon, setText, status } from "./dom.js";
import { exact, format, withZone } from "./format.js";
import { answer, since, startFrame } from "./frame.js";
import { List, labelText, segmented } from "./list.js";
import { address, on, remember } from "./state.js";

startFrame();

const query = new URLSearchParams(location.search);
const filter = { state: query.get("state") ?? "", severity: query.get("severity") ?? "", text: query.get("find") ?? "" };
let snapshot = boot.alerts;

const SHAPE = { critical: "critical", page: "critical", high: "critical", warning: "warning", info: "info", none: "info" };
const stateOf = (alert) => (alert.state === "firing" ? status("critical", "firing") : h("span.status.warning", {}, icon("s-pending", "shape"), "pending"));
const severityOf = (alert) => (alert.severity ? status(SHAPE[alert.severity] ?? "warning", alert.severity) : h("span.muted", {}, "none set"));

function row(alert) {
  const summary = alert.annotations.summary;
  return [
    stateOf(alert), severityOf(alert), h("strong", { title: alert.name }, alert.name),
    summary ? h("span.wide", { title: summary }, summary, " ", labelText(alert.labels)) : labelText(alert.labels),
    h("span.num", { title: exact(alert.value) }, format(alert.value)), h("span.muted.num", {}, since(alert.active_at * 1000)),
  ];
}

/** Where a runbook can be read: one of ours, by its address for others or by its file; or elsewhere. */
function runbookLink(url = "") {
  if (boot.runbooks && boot.external && url.startsWith(`${boot.external}/runbooks/`)) return url.slice(boot.external.length);
  if (/^https?:\/\//.test(url)) return url;
  const own = boot.runbooks && /(?:^|\/)runbooks\/([\w-]+)\.md$/.exec(url);
  return own ? `/runbooks/${own[1]}` : "";
}

function detail(alert) {
  const { summary, description, runbook_url: runbook, ...others } = alert.annotations;
  const term = (name, ...value) => [h("dt", {}, name), h("dd", {}, ...value)];
  const links = [
    alert.expr ? h("a.button", { href: address("/explore", { q: alert.expr }) }, icon("i-explore"), "Explore its expression") : null,
    runbookLink(runbook) ? h("a.button", { href: runbookLink(runbook), rel: "noreferrer" }, "Runbook") : null,
  ].filter(Boolean);
  return h("div.detail", {}, h("dl", {},
    description ? term("What it means", description) : summary ? term("Summary", summary) : [],
    runbook && !runbookLink(runbook) ? term("Runbook", runbook) : [],
    Object.entries(others).flatMap(([name, value]) => term(name, value)),
    Object.entries(alert.labels).flatMap(([name, value]) => term(name, value)),
    term("Value", exact(alert.value)),
    term("Active since", withZone(alert.active_at * 1000)),
    alert.fired_at ? term("Firing since", withZone(alert.fired_at * 1000)) : [],
    alert.expr ? term("Rule", h("code", {}, alert.expr)) : []), links.length ? h("div.links", {}, links) : null);
}

function empty(filtered) {
  if (filtered) return [h("strong", {}, "No alert matches"), h("span", {}, `${snapshot.alerts.length} are hidden by the filter.`)];
  return [h("strong.good", {}, icon("s-good", "shape"), " Nothing fires"), h("span", {}, "No alert is firing or pending. A rule's alerts appear here by themselves.")];
}

const list = new List($("#list"), { grid: "alert-grid", head: ["State", "Severity", "Alert", "What", "Value", "Since"], row, detail, empty });
const counter = h("span.end");

function matches(alert) {
  if (filter.state && alert.state !== filter.state) return false;
  if (filter.severity && alert.severity !== filter.severity) return false;
  const text = `${alert.name} ${Object.entries(alert.labels).map((pair) => pair.join("=")).join(" ")} ${Object.values(alert.annotations).join(" ")}`.toLowerCase();
  return filter.text.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

function draw() {
  const { firing, pending, alerts } = snapshot;
  const severe = alerts.some((a) => a.state === "firing" && SHAPE[a.severity] === "critical");
  if (firing) answer(severe ? "critical" : "warning", `${firing} ${firing === 1 ? "alert fires" : "alerts fire"}${pending ? `, ${pending} pending` : ""}`);
  else if (pending) answer("warning", `Nothing yet: ${pending} pending`);
  else answer("good", "Nothing");
  const shown = alerts.filter(matches);
  list.show(shown.map((data) => ({ id: data.id, key: JSON.stringify(data), data })), shown.length < alerts.length);
  setText(counter, shown.length < alerts.length ? `${shown.length} of ${alerts.length}` : `${firing} firing, ${pending} pending`);
}

function change(name, value) {
  filter[name] = value;
  remember({ [{ text: "find" }[name] ?? name]: value || null });
  draw();
}

const severities = () => [...new Set(["critical", "warning", "info", ...snapshot.alerts.map((a) => a.severity).filter(Boolean)])].slice(0, 7);
$("#filters").replaceChildren(
  segmented("State", [["", "All"], ["firing", "Firing"], ["pending", "Pending"]], filter.state, (v) => change("state", v)),
  segmented("Severity", [["", "Any"], ...severities().map((s) => [s, s])], filter.severity, (v) => change("severity", v)),
  h("input", { type: "search", placeholder: "Filter by name, label, text", "aria-label": "Filter alerts", value: filter.text, oninput: (event) => change("text", event.target.value.trim()) }), counter);
draw();
on("alerts", (data) => { snapshot = { ...data }; draw(); });
