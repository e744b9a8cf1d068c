// Lists whose rows open: what the alerts and the targets page have in common.

import { $, h } from "./dom.js";
import { remember } from "./state.js";

const LIMIT = 500;

export class List {
  /**
   * The first `words` columns are text, the others numbers. `row(item)` gives the cells of a row, `detail(item)` what opens below it,
   * `action(item)` a button beside it.
   */
  constructor(place, { grid, head, words = 4, row, detail, empty, action = null }) {
    Object.assign(this, { grid, row, detail, empty, action });
    this.items = new Map();
    this.open = new Set(new URLSearchParams(location.search).getAll("open"));
    this.body = h("div", { role: "list" });
    this.more = h("p.note", { hidden: true });
    this.box = h("div.list", {}, h(`div.head.${grid}`, { "aria-hidden": "true" }, head.map((text, i) => h(i < words ? "span" : "span.num", {}, text))), this.body, this.more);
    this.none = h("div.panel.empty", { hidden: true });
    place.replaceChildren(this.box, this.none);
  }

  /**
   * Show these items, in this order; `key` says when one of the same id has changed. An item with `toggle` is the head of a group:
   * it is `expanded` or not, and has the class `grid`.
   */
  show(items, reason) {
    const kept = new Map();
    const elements = items.slice(0, LIMIT).map((given) => {
      const old = this.items.get(given.id);
      const item = old?.key === given.key ? old : this.#item(given, old);
      kept.set(given.id, item);
      return item.element;
    });
    this.items = kept;
    const present = [...this.body.children];
    if (present.length !== elements.length || present.some((element, i) => element !== elements[i])) this.#replace(elements);
    this.box.hidden = !items.length;
    this.none.hidden = items.length > 0;
    if (!items.length) this.none.replaceChildren(...this.empty(reason));
    this.more.hidden = items.length <= LIMIT;
    this.more.textContent = `The first ${LIMIT} of ${items.length} are shown; filter to see the others.`;
  }

  /** Put the rows in place without taking the focus from who is in the list. */
  #replace(elements) {
    const focused = document.activeElement?.closest?.("[data-row]")?.dataset.row;
    this.body.replaceChildren(...elements);
    if (focused) $(`[data-row="${CSS.escape(focused)}"]`, this.body)?.focus();
  }

  #item(given, old) {
    const { id, key, data, toggle, expanded, grid = this.grid } = given;
    if (old) {
      this.#renew(old, given);
      return { ...old, key, data };
    }
    const open = !toggle && this.open.has(id);
    const button = h(`button.${grid}`, { type: "button", "data-row": id, "aria-expanded": String(toggle ? expanded : open), onclick: toggle ?? (() => this.#toggle(id)) }, this.row(data));
    const action = this.action ? h("span.act", {}, this.action(data)) : null;
    const element = h(`div.item${action ? ".acts" : ""}`, { role: "listitem" }, button, action, open ? this.detail(data) : null);
    return { element, button, action, key, data };
  }

  /** Other words in a row that stays; who is reading or typing in what is open below is left in peace. */
  #renew({ element, button, action }, { id, data, toggle, expanded }) {
    button.replaceChildren(...this.row(data));
    if (toggle) button.setAttribute("aria-expanded", String(expanded));
    if (action && !action.contains(document.activeElement)) action.replaceChildren(this.action(data) ?? "");
    const detail = element.lastChild;
    if (this.open.has(id) && detail !== action && detail !== button && !detail.contains(document.activeElement)) detail.replaceWith(this.detail(data));
  }

  /** Open an item that is shown, and go to it. */
  reveal(id) {
    const item = this.items.get(id);
    if (!item) return;
    if (!this.open.has(id)) this.#toggle(id);
    item.button.focus();
    item.element.scrollIntoView({ block: "nearest" });
  }

  #toggle(id) {
    const { element, button, data } = this.items.get(id);
    if (this.open.delete(id)) element.lastChild.remove();
    else {
      this.open.add(id);
      element.append(this.detail(data));
    }
    button.setAttribute("aria-expanded", String(this.open.has(id)));
    remember({ open: [...this.open].slice(0, 20) });
  }
}

/** Labels as text, names quieter than values. */
export const labelText = (labels) => h("span.labels.wide", { title: Object.entries(labels).map(([n, v]) => `${n}=${v}`).join("\n") },
  Object.entries(labels).flatMap(([n, v], i) => [`${i ? "  " : ""}${n}=`, h("b", {}, v)]));

/** A group of buttons of which one is chosen. */
export function segmented(name, choices, chosen, choose) {
  const buttons = choices.map(([value, text]) => h("button", { type: "button", "data-value": value, "aria-pressed": String(value === chosen), onclick: () => {
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.value === value));
    choose(value);
  } }, text));
  return h("div.segmented", { role: "group", "aria-label": name }, buttons);
}
