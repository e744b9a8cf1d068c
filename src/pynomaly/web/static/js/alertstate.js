// Alerts in words and shapes, the same on every page.

import { boot, h, icon, status } from "./dom.js";
import { address } from "./state.js";

export const SHAPE = { critical: "critical", page: "critical", high: "critical", warning: "warning", info: "info", none: "info" };

/** firing, pending, silenced, inhibited, in maintenance or suppressed. */
export const stateOf = (alert) => (alert.silenced?.length ? "silenced" : alert.inhibited ? "inhibited" : alert.maintenance?.length ? "maintenance" : alert.suppressed?.length ? "suppressed" : alert.state);

const MARKS = {
  firing: () => status("critical", "firing"), pending: () => h("span.status.warning", {}, icon("s-pending", "shape"), "pending"),
  silenced: () => status("silenced", "silenced"), inhibited: () => status("silenced", "inhibited"), maintenance: () => status("silenced", "maintenance"), suppressed: () => status("silenced", "suppressed"), resolved: () => status("good", "resolved"),
};
export const stateMark = (state) => MARKS[state]();

/** That somebody has taken it on, and that it flaps. */
export const noiseMarks = (alert) => [
  alert.flapping ? h("span.tag", { title: `${alert.flapping.changes} changes within the window` }, "flapping") : null,
  alert.acknowledged ? h("span.tag", { title: alert.acknowledged.comment || "Nobody is told of it again; of its end they are." }, `acknowledged by ${alert.acknowledged.by || "somebody"}`) : null,
].filter(Boolean);

export const severityMark = (severity) => (severity ? status(SHAPE[severity] ?? "warning", severity) : h("span.muted", {}, "none set"));

/** Where a runbook can be read: one of ours, by its address for others or by its file; or elsewhere. */
export function runbookLink(url = "") {
  if (boot.runbooks && boot.external && url.startsWith(`${boot.external}/runbooks/`)) return url.slice(boot.external.length);
  if (/^https?:\/\//.test(url)) return url;
  const own = boot.runbooks && /(?:^|\/)runbooks\/([\w-]+)\.md$/.exec(url);
  return own ? `/runbooks/${own[1]}` : "";
}

export const whyLink = (fingerprint) => address("/alert", { fingerprint });

/** A value in quotes, as matchers have them. */
export const quoted = (text) => `"${text.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n")}"`;
export const matcher = (name, value) => `${/^[a-zA-Z_][\w]*$/.test(name) ? name : quoted(name)}=${quoted(value)}`;

/** Every label of an alert, its name and severity among them. */
export const allLabels = (alert) => ({ alertname: alert.name, ...(alert.severity ? { severity: alert.severity } : {}), ...alert.labels });

/** The labels that all alerts have in common. */
export function commonLabels(alerts) {
  const [first, ...others] = alerts.map(allLabels);
  return Object.fromEntries(Object.entries(first).filter(([name, value]) => others.every((labels) => labels[name] === value)));
}
