// The state of a rule in one word, with its shape.

import { boot, h, icon, status } from "./dom.js";
import { writeSpan } from "./format.js";

/** By consequence. */
export const ORDER = { failing: 0, firing: 1, pending: 2, waiting: 3, designed: 4, quiet: 5, recording: 6 };

export function ruleState(rule, now) {
  if (now.health === "err") return "failing";
  if (now.firing) return rule.labels.severity === "none" ? "designed" : "firing";
  if (now.pending) return "pending";
  if (!now.last) return "waiting";
  return rule.kind === "alert" ? "quiet" : "recording";
}

const MARKS = {
  failing: () => status("critical", "failing"), firing: () => status("critical", "firing"),
  pending: () => h("span.status.warning", {}, icon("s-pending", "shape"), "pending"),
  waiting: () => status("unknown", "not yet"), designed: () => status("info", "by design"), quiet: () => status("good", "quiet"), recording: () => status("good", "records"),
};

export const stateMark = (state) => MARKS[state]();

/** A rule's time as rule files write it: `5m`, `0`. */
export const written = (seconds) => (seconds >= 1 && Number.isInteger(seconds) ? writeSpan(seconds) : seconds ? `${Math.round(seconds * 1000)}ms` : "0");

/** Where the runbook of a rule can be read; nothing if it names none. */
export function runbookLink(rule) {
  const url = rule.annotations.runbook_url ?? "";
  const own = boot.runbooks && /\/runbooks\/([\w-]+)(?:\.md)?$/.exec(url);
  const address = own ? `/runbooks/${own[1]}` : /^https?:\/\/[^{]+$/.test(url) && url;
  return address ? h("a.button", { href: address, rel: "noreferrer" }, "Runbook") : null;
}

const GRAVITY = { error: "critical", warning: "warning", note: "info" };

/** What lint says of a rule: each finding with its reason, what to write instead, and its proof. */
export const findings = (rule) => rule.notes.map((note) => h("div.finding", {},
  status(GRAVITY[note.severity] ?? "info", note.severity), h("span", {}, note.message, " ", h("span.muted", {}, note.check)),
  note.suggestion ? h("pre.expr", { tabindex: "0", "aria-label": "Instead" }, note.suggestion) : null,
  note.proof ? h("p.muted", {}, note.proof) : null));

/** How many findings there are, beside a rule's name. */
export const findingCount = (rule) => (rule.notes.length
  ? h("span.warning.finds", { title: rule.notes.map((note) => note.message).join("\n") }, ` ${rule.notes.length} ${rule.notes.length === 1 ? "finding" : "findings"}`) : null);

export const isNumber = (value) => typeof value === "number";
