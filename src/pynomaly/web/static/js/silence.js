// The dialog that silences: which alerts, for how long, why, and what it hides.

import { h, icon, toast } from "./dom.js";
import { post } from "./ask.js";
import { matcher, severityMark, stateMark, stateOf } from "./alertstate.js";
import { absolute, parseSpan } from "./format.js";
import { labelText } from "./list.js";

const FOR = [["30m", "30 min"], ["1h", "1 h"], ["2h", "2 h"], ["4h", "4 h"], ["8h", "8 h"], ["1d", "1 d"], ["3d", "3 d"], ["1w", "1 w"]];
const SHOWN = 6;
const WAIT = 200;

let dialog = null;

/** Open it. `labels` are offered as matchers, all of them taken; `matchers` are further ones as text. */
export function openSilence({ labels = {}, matchers = "", comment = "", done = () => {} } = {}) {
  dialog ??= document.body.appendChild(h("dialog.silence", { id: "silence", "aria-labelledby": "silence-title", onclick: (event) => { if (event.target === dialog) dialog.close(); } }));
  const view = new Silence(labels, matchers, comment, done);
  dialog.replaceChildren(view.element);
  dialog.showModal();
  (Object.keys(labels).length || matchers ? view.submit : view.others).focus();
}

class Silence {
  constructor(labels, matchers, comment, done) {
    this.done = done;
    this.labels = Object.entries(labels);
    this.off = new Set();
    this.asked = 0;
    this.last = "2h";
    const chips = this.labels.map(([name, value]) => this.#chip(name, value));
    this.others = h("input", { name: "matchers", value: matchers, placeholder: "severity=~\"warning|info\"", autocomplete: "off", spellcheck: "false", oninput: () => this.#later() });
    this.comment = h("input", { name: "comment", value: comment, maxlength: "10000", placeholder: "Why? Others will read it.", autocomplete: "off" });
    this.start = h("input", { name: "start", type: "datetime-local", oninput: () => this.#times() });
    this.until = h("input", { name: "until", type: "datetime-local", oninput: () => { this.last = ""; this.#times(); } });
    this.spans = FOR.map(([value, text]) => h("button", { type: "button", "data-value": value, onclick: () => { this.last = value; this.until.value = ""; this.#times(); } }, text));
    this.preview = h("div.preview", { role: "status" });
    this.fault = h("p.error", { role: "alert", hidden: true });
    this.submit = h("button.button.primary", { type: "submit" });
    this.element = h("form", { onsubmit: (event) => { event.preventDefault(); this.#send(); } },
      h("header", {}, h("h2", { id: "silence-title" }, "Silence"), h("button.icon", { type: "button", "aria-label": "Close", onclick: () => dialog.close() }, icon("i-close"))),
      h("div.body", {},
        chips.length ? h("div.chips", { role: "group", "aria-label": "Labels that an alert must have" }, chips) : null,
        h("label", {}, chips.length ? "And these matchers" : "Matchers", this.others),
        h("div.field", {}, h("span", {}, "For"), h("div.segmented", { role: "group", "aria-label": "For" }, this.spans)),
        h("details", {}, h("summary", {}, "Begin later, or end at a certain time"), h("div.pair", {}, h("label", {}, "Begins", this.start), h("label", {}, "Ends", this.until))),
        h("label", {}, "Comment", this.comment), this.preview, this.fault),
      h("footer", {}, h("button.button", { type: "button", onclick: () => dialog.close() }, "Cancel"), this.submit));
    this.#times();
    this.#look();
  }

  #chip(name, value) {
    const text = matcher(name, value);
    const button = h("button.chip", { type: "button", "aria-pressed": "true", title: `${text}\nClick: leave this label out, which hides more.`, onclick: () => {
      if (!this.off.delete(name)) this.off.add(name);
      button.setAttribute("aria-pressed", String(!this.off.has(name)));
      this.#look();
    } }, text);
    return button;
  }

  #matchers() {
    return [...this.labels.filter(([name]) => !this.off.has(name)).map(([name, value]) => matcher(name, value)), ...(this.others.value.trim() ? [this.others.value.trim()] : [])];
  }

  #begins() {
    const later = this.start.value ? new Date(this.start.value).getTime() : 0;
    return later > Date.now() ? later : 0;
  }

  #ends() {
    if (this.last) return (this.#begins() || Date.now()) + parseSpan(this.last) * 1000;
    return this.until.value ? new Date(this.until.value).getTime() : 0;
  }

  #times() {
    for (const button of this.spans) button.setAttribute("aria-pressed", String(button.dataset.value === this.last));
    const begins = this.#begins();
    const ends = this.#ends();
    const day = (ms) => (absolute(ms).slice(0, 10) === absolute(begins || Date.now()).slice(0, 10) ? absolute(ms).slice(11, 16) : absolute(ms).slice(0, 16));
    this.submit.replaceChildren(!ends ? "Choose an end" : begins ? `Silence from ${absolute(begins).slice(0, 16)} to ${day(ends)}` : `Silence until ${day(ends)}`);
    this.submit.disabled = !ends;
  }

  #later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#look(), WAIT);
  }

  async #look() {
    const mine = ++this.asked;
    const matchers = this.#matchers();
    this.#fail("");
    if (!matchers.length) {
      this.preview.replaceChildren(h("p.muted", {}, "Name at least one label that an alert must have."));
      return;
    }
    try {
      const data = await post("/data/silences/preview", { matchers });
      if (mine === this.asked) this.#show(data);
    } catch (error) {
      if (mine !== this.asked) return;
      this.preview.replaceChildren();
      this.#fail(error.message);
    }
  }

  #show({ firing, pending, already, alerts }) {
    const count = (n) => `${n} ${n === 1 ? "alert" : "alerts"}`;
    const says = firing + pending === 0 ? "No alert of now; those to come that match." : `Hides ${count(firing)} that ${firing === 1 ? "fires" : "fire"} now${pending ? ` and ${pending} pending` : ""}${already ? `; ${already} of them ${already === 1 ? "is" : "are"} silenced already` : ""}.`;
    this.preview.replaceChildren(h("p", {}, h("strong", {}, says)),
      alerts.length ? h("ul", {}, alerts.slice(0, SHOWN).map((alert) => h("li", {}, stateMark(stateOf(alert)), severityMark(alert.severity), h("span.what", {}, alert.name), labelText(alert.labels)))) : "",
      firing + pending > SHOWN ? h("p.muted", {}, `… and ${firing + pending - SHOWN} more`) : "");
  }

  #fail(text) {
    this.fault.hidden = !text;
    this.fault.textContent = text;
  }

  async #send() {
    const matchers = this.#matchers();
    if (!matchers.length) return;
    this.submit.disabled = true;
    const ends = this.#ends();
    try {
      const { id } = await post("/data/silences", { matchers, starts_at: this.#begins() / 1000, ends_at: ends / 1000, comment: this.comment.value.trim() });
      dialog.close();
      toast(`Silenced until ${absolute(ends).slice(0, 16)}`);
      this.done(id);
    } catch (error) {
      this.#fail(error.message);
    } finally {
      this.submit.disabled = false;
    }
  }
}

/** End a silence now. */
export async function expire(id) {
  await post(`/data/silences/${encodeURIComponent(id)}/expire`);
  toast("Expired: these alerts are told again");
}

/** Let a silence end at another time, in milliseconds. */
export async function endAt(id, ms) {
  await post(`/data/silences/${encodeURIComponent(id)}/end`, { ends_at: ms / 1000 });
  toast(`It ends ${absolute(ms).slice(0, 16)}`);
}

