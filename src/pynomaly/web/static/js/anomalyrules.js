// Rules of what is told of anomalies: the dialog that makes one, and those that hold.

import { h, icon, toast } from "./dom.js";
import { ask, post } from "./ask.js";
import { matcher } from "./alertstate.js";

const PATH = "/data/anomalies/rules";
const FIELDS = [
  ["min_deviation", "Only what is off by at least", "in the unit of the series"],
  ["min_relative_deviation", "Or by this share of what was expected", "0.2 is a fifth"],
  ["budget", "Anomalies a week for each series in order", "0.1 unless set"],
];

let dialog = null;
let lists = [];

/** Open it. `labels` (with `__name__`) are offered as matchers; `direction` is what is not to be told. */
export function openRule({ labels = {}, direction = "", comment = "" } = {}) {
  dialog ??= document.body.appendChild(h("dialog.silence", { id: "anomaly-rule", "aria-labelledby": "rule-title", onclick: (event) => { if (event.target === dialog) dialog.close(); } }));
  const view = new Rule(labels, direction, comment);
  dialog.replaceChildren(view.element);
  dialog.showModal();
  (Object.keys(labels).length ? view.submit : view.others).focus();
}

class Rule {
  constructor(labels, never, comment) {
    this.labels = Object.entries(labels);
    this.off = new Set();
    this.tell = never === "below" ? "above" : never === "above" ? "below" : "both";
    const chips = this.labels.map(([name, value]) => this.#chip(name, value));
    this.others = h("input", { name: "matchers", placeholder: "service=\"shop\", __name__=~\"queue_.*\"", autocomplete: "off", spellcheck: "false" });
    this.sides = [["both", "Both sides"], ["above", "Only rises"], ["below", "Only falls"], ["ignore", "Nothing"]].map(([value, text]) => h("button", { type: "button", "data-value": value, onclick: () => { this.tell = value; this.#show(); } }, text));
    this.numbers = Object.fromEntries(FIELDS.map(([name, , hint]) => [name, h("input", { name, type: "number", min: "0", step: "any", placeholder: hint })]));
    this.traffic = h("input", { name: "traffic", placeholder: "requests_total", autocomplete: "off", spellcheck: "false" });
    this.atLeast = h("input", { name: "at_least", type: "number", min: "0", step: "any", placeholder: "of a counter: a second" });
    this.comment = h("input", { name: "comment", value: comment, maxlength: "1000", placeholder: "Why? Others will read it.", autocomplete: "off" });
    this.fault = h("p.error", { role: "alert", hidden: true });
    this.submit = h("button.button.primary", { type: "submit" }, "Make the rule");
    this.element = h("form", { onsubmit: (event) => { event.preventDefault(); this.#send(); } },
      h("header", {}, h("h2", { id: "rule-title" }, "What is told of these series"), h("button.icon", { type: "button", "aria-label": "Close", onclick: () => dialog.close() }, icon("i-close"))),
      h("div.body", {},
        chips.length ? h("div.chips", { role: "group", "aria-label": "Labels that a series must have" }, chips) : null,
        h("label", {}, chips.length ? "And these matchers" : "Matchers", this.others),
        h("div.field", {}, h("span", {}, "Tell"), h("div.segmented", { role: "group", "aria-label": "Tell" }, this.sides)),
        h("details", {}, h("summary", {}, "How far, how often, and with how much traffic"),
          h("div.pair", {}, FIELDS.map(([name, text]) => h("label", {}, text, this.numbers[name]))),
          h("div.pair", {}, h("label", {}, "Only while this metric of the same labels", this.traffic), h("label", {}, "is at least", this.atLeast))),
        h("label", {}, "Comment", this.comment), this.fault),
      h("footer", {}, h("button.button", { type: "button", onclick: () => dialog.close() }, "Cancel"), this.submit));
    this.#show();
  }

  #chip(name, value) {
    const text = matcher(name, value);
    const button = h("button.chip", { type: "button", "aria-pressed": "true", title: `${text}\nClick: leave this label out, which concerns more series.`, onclick: () => {
      if (!this.off.delete(name)) this.off.add(name);
      button.setAttribute("aria-pressed", String(!this.off.has(name)));
    } }, text);
    return button;
  }

  #show() {
    for (const button of this.sides) button.setAttribute("aria-pressed", String(button.dataset.value === this.tell));
  }

  #rule() {
    const more = this.others.value.split(/,(?=\s*[A-Za-z_])/).map((each) => each.trim()).filter(Boolean);
    const rule = { matchers: [...this.labels.filter(([name]) => !this.off.has(name)).map(([name, value]) => matcher(name, value)), ...more], comment: this.comment.value.trim() };
    if (this.tell === "ignore") rule.ignore = true;
    else rule.direction = this.tell;
    for (const [name, input] of Object.entries(this.numbers)) if (input.value) rule[name] = Number(input.value);
    if (this.traffic.value.trim()) rule.min_traffic = { metric: this.traffic.value.trim(), at_least: Number(this.atLeast.value) };
    return rule;
  }

  #fail(text) {
    this.fault.hidden = !text;
    this.fault.textContent = text;
    this.submit.disabled = false;
  }

  async #send() {
    const rule = this.#rule();
    const { matchers, comment: _, ...says } = rule;
    if (!matchers.length) return this.#fail("Name at least one label that a series must have.");
    if (says.direction === "both" && Object.keys(says).length === 1) return this.#fail("This changes nothing: choose a side, or say how far, how often, or with how much traffic.");
    this.submit.disabled = true;
    try {
      const made = await post(PATH, rule);
      dialog.close();
      toast(`It holds from now on: ${made.says}.`);
      for (const each of lists) each.load();
    } catch (error) {
      this.#fail(error.message);
    }
  }
}

/** The rules that hold, below the anomalies. */
export class RuleList {
  constructor(place) {
    this.body = h("div", {});
    this.count = h("span", {}, "Rules");
    place.replaceChildren(h("details.panel.rules", {}, h("summary", {}, this.count), this.body));
    lists = [this];
    this.load();
  }

  async load() {
    try {
      this.#show((await ask(PATH)).rules);
    } catch (error) {
      this.body.replaceChildren(h("p.note", {}, error.message));
    }
  }

  #show(rules) {
    this.count.textContent = `Rules of what is told: ${rules.length || "none"}`;
    const make = h("button.button", { type: "button", onclick: () => openRule() }, "Make a rule");
    this.body.replaceChildren(rules.length ? h("ul.moved", {}, rules.map((each) => this.#item(each))) : h("p.muted", {}, "Every series is told of."), h("div.links", {}, make));
  }

  #item(rule) {
    const of = rule.matches === null ? "" : ` ${rule.matches.toLocaleString()} series.`;
    const remove = h("button.button", { type: "button", "aria-label": `Remove the rule ${rule.matchers.join(", ")}`, onclick: () => this.#remove(rule) }, "Remove");
    return h("li", {}, h("span", {}, h("strong", {}, rule.matchers.join(", ")), ` ${rule.says}.${of}`, rule.comment ? ` ${rule.comment}` : ""), h("span.end", {}, rule.configured ? h("span.muted", {}, "of the configuration") : remove));
  }

  async #remove(rule) {
    try {
      await post(`${PATH}/${encodeURIComponent(rule.id)}/remove`);
      toast("The rule is gone.");
      this.load();
    } catch (error) {
      toast(error.message);
    }
  }
}
