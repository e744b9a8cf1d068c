// Notifications in words: outcomes and attempts.

import { h, status } from "./dom.js";
import { format, withZone } from "./format.js";
import { since } from "./frame.js";

const OUTCOMES = { delivered: ["good", "delivered"], retryable: ["warning", "not delivered"], permanent: ["critical", "refused"] };

export const outcomeMark = (outcome) => status(...(OUTCOMES[outcome] ?? ["unknown", outcome]));

/** Each attempt: when, how it went, how long it took. */
export const attemptRows = (attempts) => h("ul.attempts", {}, attempts.map((attempt) => h("li", {},
  attempt.outcome === "retryable" ? status("warning", "failed") : outcomeMark(attempt.outcome), h("span.num", { title: "How long it took" }, format(attempt.seconds, "s")),
  h("span.muted", { title: withZone(attempt.at * 1000) }, since(attempt.at * 1000)), attempt.reason ? h("span.grow", { title: attempt.reason }, attempt.reason) : null)));
