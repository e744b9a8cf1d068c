// The state of a rule in one word, with its shape.

import { h, icon, status } from "./dom.js";
import { writeSpan } from "./format.js";

/** By consequence. */
export const ORDER = { failing: 0, firing: 1, pending: 2, waiting: 3, quiet: 4, recording: 5 };

export function ruleState(rule, now) {
  if (now.health === "err") return "failing";
  if (now.firing) return "firing";
  if (now.pending) return "pending";
  if (!now.last) return "waiting";
  return rule.kind === "alert" ? "quiet" : "recording";
}

const MARKS = {
  failing: () => status("critical", "failing"), firing: () => status("critical", "firing"),
  pending: () => h("span.status.warning", {}, icon("s-pending", "shape"), "pending"),
  waiting: () => status("unknown", "not yet"), quiet: () => status("good", "quiet"), recording: () => status("good", "records"),
};

export const stateMark = (state) => MARKS[state]();

/** A rule's time as rule files write it: `5m`, `0`. */
export const written = (seconds) => (seconds >= 1 && Number.isInteger(seconds) ? writeSpan(seconds) : seconds ? `${Math.round(seconds * 1000)}ms` : "0");

export const isNumber = (value) => typeof value === "number";
