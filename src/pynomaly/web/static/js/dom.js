// Building and replacing elements.

const SVG = "http://www.w3.org/2000/svg";

/** An element: `h("a.quiet", {href: "/", onclick: f}, "text", child, …)`. */
export function h(what, attributes = {}, ...children) {
  const [tag, ...classes] = what.split(".");
  const element = document.createElement(tag || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [k, v] of Object.entries(value)) element.style.setProperty(k, v);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** One of the shapes and icons of the page's sprite. */
export function icon(name, className = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("aria-hidden", "true");
  if (className) svg.setAttribute("class", className);
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#${name}`);
  svg.append(use);
  return svg;
}

export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

/** Set text only when it differs, so that nothing is laid out anew in vain. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Status by colour, shape and word. */
export function status(kind, word) {
  const shape = { firing: "critical" }[kind] ?? kind;
  return h(`span.status.${shape}`, {}, icon(`s-${shape}`, "shape"), word);
}

let toastTimer = 0;
export function toast(text) {
  const place = $("#toast");
  place.textContent = text;
  place.classList.add("on");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => place.classList.remove("on"), 2500);
}

/** A button: a click asks, the next one within four seconds does it. */
export function askTwice(text, sure, work) {
  const button = h("button.button", { type: "button", onclick: () => {
    if (button.dataset.sure) return work();
    button.dataset.sure = "1";
    button.classList.add("danger");
    button.textContent = sure;
    return setTimeout(() => { delete button.dataset.sure; button.classList.remove("danger"); button.textContent = text; }, 4000);
  } }, text);
  return button;
}

/** What the server put into the page. */
export const boot = JSON.parse(document.getElementById("boot").textContent);
