// The present values of a query as a table.

import { h, setText } from "./dom.js";
import { format } from "./format.js";

const shown = (text) => (text === "NaN" || text.endsWith("Inf") ? text : format(Number(text)));

/** Fill `place` with a table message; values change in place while the series stay the same. */
export function fillTable(place, data, unit = "") {
  const shape = JSON.stringify([data.columns, data.rows.map(([query, labels]) => [query, labels])]);
  if (place.dataset.shape === shape && place.firstChild) {
    data.rows.forEach(([, , value], i) => {
      const cell = place.cells[i];
      setText(cell, unit ? format(Number(value), unit) : shown(value));
      cell.title = value;
    });
    return;
  }
  place.dataset.shape = shape;
  const several = new Set(data.rows.map(([query]) => query)).size > 1;
  place.cells = data.rows.map(([, , value]) => h("td.num", { title: value }, unit ? format(Number(value), unit) : shown(value)));
  const rows = data.rows.map(([query, labels], i) => h("tr", {}, several ? h("td", {}, letter(query)) : null,
    ...data.columns.map((name) => h("td", { title: labels[name] ?? "" }, labels[name] ?? "")), place.cells[i]));
  place.replaceChildren(h("table", {}, h("thead", {}, h("tr", {}, several ? h("th", {}, "Query") : null,
    ...data.columns.map((name) => h("th", {}, name === "__name__" ? "metric" : name)), h("th.num", {}, "Value"))), h("tbody", {}, rows)));
}

export const letter = (i) => String.fromCharCode(65 + i);
