// One rule: how it does now, its history, and what it would have done.

import { $, boot, h, icon, setText } from "./dom.js";
import { Backtest } from "./backtest.js";
import { Chart } from "./chart.js";
import { exact, format, unitOf } from "./format.js";
import { answer, since, startFrame } from "./frame.js";
import { labelText } from "./list.js";
import { watch } from "./live.js";
import { findings, isNumber, ruleState, runbookLink, stateMark, written } from "./rulestate.js";
import { address } from "./state.js";

startFrame();

const { rule } = boot;
const quoted = (text) => JSON.stringify(text);
const selector = (name, labels) => `${name}{${Object.entries(labels).filter(([, v]) => !v.includes("{{")).map(([n, v]) => `${n}=${quoted(v)}`).join(",")}}`;

const SAYS = {
  failing: ["critical", "It fails"], firing: ["critical", "It fires"], pending: ["warning", "It is pending"],
  designed: ["good", "It fires, as it is meant to"], waiting: ["unknown", "It has not been evaluated yet"], quiet: ["good", "Well: nothing fires"], recording: ["good", "Well: it records"],
};

function facts(now) {
  const term = (name, ...value) => [h("dt", {}, name), h("dd", {}, ...value)];
  const state = ruleState(rule, now);
  const [kind, text] = SAYS[state];
  answer(kind, state === "firing" && now.firing > 1 ? `${now.firing} alerts fire` : text);
  return h("div.panel.facts", {},
    h("dl", {},
      term("State", stateMark(state), now.error ? h("span.critical", {}, ` ${now.error}`) : ""),
      term("Last value", h("span", { title: exact(now.value) }, isNumber(now.value) ? format(now.value, unitOf(rule.drawn.expr)) : (now.value ?? "none")), h("span.muted", {}, ` of ${now.found} series`)),
      now.last ? term("Evaluated", since(now.last * 1000), h("span.muted", {}, ` in ${format(now.seconds, "s")}, every ${written(rule.interval)}`)) : [],
      rule.for ? term("For", written(rule.for)) : [],
      rule.keep ? term("Keeps firing for", written(rule.keep)) : [],
      Object.keys(rule.labels).length ? term("Adds labels", labelText(rule.labels)) : [],
      Object.entries(rule.annotations).flatMap(([name, value]) => term(name, value)),
      term("Group", `${rule.group}, in ${rule.file}`)),
    h("pre.expr", { tabindex: "0", "aria-label": "Expression" }, rule.expr), findings(rule),
    h("div.links", {},
      h("a.button", { href: address("/explore", { q: rule.expr }) }, icon("i-explore"), "Explore its expression"),
      now.firing + now.pending ? h("a.button", { href: address("/alerts", { find: rule.name }) }, "Its alerts") : null,
      runbookLink(rule),
      h("a.button", { href: address("/rules", {}) }, "All rules")));
}

function history() {
  const { expr, threshold, op } = rule.drawn;
  const first = new Chart("expression", {
    queries: [{ expr }], unit: unitOf(expr), thresholds: threshold === null ? [] : [{ value: threshold, label: `${op} ${threshold}` }],
  }, { title: threshold === null ? "Its expression" : "Its expression, and where the alert begins", href: address("/explore", { q: expr }) });
  const alert = `count by (alertstate) (${selector("ALERTS", { alertname: rule.name, ...rule.labels })})`;
  const second = rule.kind === "alert"
    ? new Chart("alerts", { queries: [{ expr: alert, legend: "{{alertstate}}" }], zero: true }, { title: "Its alerts", href: address("/explore", { q: alert }) })
    : new Chart("recorded", { queries: [{ expr: selector(rule.name, rule.labels) }], unit: unitOf(rule.name) }, { title: "What it recorded", href: address("/explore", { q: selector(rule.name, rule.labels) }) });
  $("#history").replaceChildren(first.element, second.element);
  first.load();
  second.load();
}

function gone() {
  answer("unknown", "It is not there");
  $("#facts").replaceChildren(h("div.panel.empty", {}, h("strong", {}, "There is no such rule"),
    h("span", {}, "Its file has changed, or the address is not whole."), h("a.button", { href: address("/rules", {}) }, "All rules")));
}

function show() {
  setText($("h1"), rule.name);
  document.title = `${rule.name} · Pynomaly`;
  const draw = (data) => { if (data.rules[rule.id]) $("#facts").replaceChildren(facts(data.rules[rule.id])); };
  draw(boot.rules);
  watch("rules", draw);
  history();
  if (rule.kind === "alert" && boot.backtests) $("#backtest").replaceChildren(new Backtest(rule).element);
}

if (rule) show();
else gone();
