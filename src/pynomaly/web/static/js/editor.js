// The PromQL editor: a text field that colours what is typed and completes it.

import { h } from "./dom.js";
import { completions, placeOf, tokens } from "./promql.js";

let editors = 0;

export class Editor {
  constructor({ value = "", label = "PromQL expression", onRun, onChange = () => {} }) {
    this.id = `editor-${(editors += 1)}`;
    this.onRun = onRun;
    this.onChange = onChange;
    this.wrong = null;
    this.shown = [];
    this.at = 0;
    this.asked = 0;
    this.colours = h("pre", { "aria-hidden": "true" });
    this.input = h("textarea", {
      rows: "1", spellcheck: "false", autocomplete: "off", autocapitalize: "off", autocorrect: "off", role: "combobox", "aria-label": label,
      "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": `${this.id}-list`, placeholder: "PromQL, for instance: rate(node_cpu_seconds_total[5m])",
    });
    this.input.value = value;
    this.list = h("ul.completions", { id: `${this.id}-list`, role: "listbox", "aria-label": "Completions", hidden: true });
    this.element = h("div.editor", {}, this.colours, this.input, this.list);
    this.input.addEventListener("input", () => { this.wrong = null; this.#changed(); this.complete(); });
    this.input.addEventListener("keydown", (event) => this.#key(event));
    this.input.addEventListener("blur", () => setTimeout(() => this.#close(), 120));
    this.input.addEventListener("click", () => this.#close());
    new ResizeObserver(() => this.#fit()).observe(this.element);
    this.#changed();
  }

  get value() {
    return this.input.value;
  }

  set value(text) {
    if (this.input.value === text) return;
    this.input.value = text;
    this.#changed();
  }

  focus() {
    this.input.focus();
  }

  /** Underline what is wrong: [line, column], 1-based, or null. */
  mark(position) {
    if (position) {
      const lines = this.value.split("\n");
      this.wrong = lines.slice(0, position[0] - 1).reduce((sum, line) => sum + line.length + 1, 0) + position[1] - 1;
    } else this.wrong = null;
    this.#colour();
  }

  #changed() {
    this.#colour();
    this.#fit();
    this.onChange(this.value);
  }

  #fit() {
    this.input.style.height = "auto";
    this.input.style.height = `${Math.max(36, this.input.scrollHeight)}px`;
  }

  #colour() {
    const parts = tokens(this.value).map(({ kind, text, at }) => {
      const wrong = this.wrong !== null && at <= this.wrong && this.wrong < at + text.length;
      return h(`span.tok-${kind}${wrong ? ".tok-wrong" : ""}`, {}, text);
    });
    this.colours.replaceChildren(...parts, "\n");
  }

  /** Offer what may stand at the caret. */
  async complete(always = false) {
    const place = placeOf(this.value, this.input.selectionStart);
    const wanted = place.kind !== "none" && (always || place.text || place.kind === "label" || place.kind === "value" || place.kind === "duration");
    const mine = ++this.asked;
    if (!wanted) return this.#close();
    const found = await completions(place);
    if (mine !== this.asked || document.activeElement !== this.input) return undefined;
    if (!found.length || (found.length === 1 && found[0].word === place.text)) return this.#close();
    return this.#open(place, found);
  }

  #open(place, found) {
    // What was chosen with the arrows stays chosen when more is typed, or an answer comes late.
    const chosen = !this.list.hidden && this.at > 0 ? this.shown[this.at].word : null;
    this.place = place;
    this.shown = found;
    this.list.replaceChildren(...found.map((each, i) => {
      const hit = place.text ? each.word.toLowerCase().indexOf(place.text.toLowerCase()) : -1;
      const word = hit < 0 ? [each.word] : [each.word.slice(0, hit), h("b", {}, each.word.slice(hit, hit + place.text.length)), each.word.slice(hit + place.text.length)];
      return h("li", { role: "option", id: `${this.id}-${i}`, "aria-selected": "false", onmousedown: (event) => { event.preventDefault(); this.#take(i); } },
        h("span.word", { title: each.word }, ...word), each.doc ? h("span.doc", {}, each.doc) : null, h("span.kind", {}, each.kind));
    }));
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.#position(place.from);
    this.#select(Math.max(0, found.findIndex((each) => each.word === chosen)));
  }

  #position(offset) {
    let left = 12;
    let top = 36;
    let rest = offset;
    const box = this.element.getBoundingClientRect();
    for (const span of this.colours.children) {
      const node = span.firstChild;
      if (rest <= node.length) {
        const range = document.createRange();
        range.setStart(node, rest);
        range.setEnd(node, Math.min(node.length, rest + 1));
        const at = range.getBoundingClientRect();
        left = at.left - box.left;
        top = at.bottom - box.top;
        break;
      }
      rest -= node.length;
    }
    this.list.style.top = `${top + 4}px`;
    this.list.style.left = `${Math.max(0, Math.min(left - 12, box.width - 330))}px`;
  }

  #select(i) {
    this.list.children[this.at]?.setAttribute("aria-selected", "false");
    this.at = (i + this.shown.length) % this.shown.length;
    const item = this.list.children[this.at];
    item.setAttribute("aria-selected", "true");
    item.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", item.id);
  }

  #close() {
    this.asked += 1;
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  #take(i) {
    const { insert, kind } = this.shown[i];
    const { from } = this.place;
    const end = this.input.selectionStart;
    const rest = this.value.slice(end);
    const text = kind === "value" && !rest.startsWith('"') ? `${insert}"` : insert.endsWith("(") && rest.startsWith("(") ? insert.slice(0, -1) : insert;
    this.input.setRangeText(text, from, end, "end");
    this.#close();
    this.#changed();
    if (text.endsWith("(")) this.complete();
  }

  #key(event) {
    const open = !this.list.hidden;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) this.#run(event);
    else if (event.key === " " && event.ctrlKey) { event.preventDefault(); this.complete(true); }
    else if (open && (event.key === "ArrowDown" || event.key === "ArrowUp")) { event.preventDefault(); this.#select(this.at + (event.key === "ArrowDown" ? 1 : -1)); }
    else if (open && (event.key === "Enter" || event.key === "Tab")) { event.preventDefault(); this.#take(this.at); }
    else if (open && event.key === "Escape") { event.stopPropagation(); this.#close(); }
    else if (event.key === "Enter" && !event.shiftKey) this.#run(event);
  }

  #run(event) {
    event.preventDefault();
    this.#close();
    this.onRun();
  }
}
