/* Elements: found by id, made with attributes and listeners; written only where a value differs, for
   each write costs style, layout and paint, and most of a page stays as it is. */
export const SVG = "http://www.w3.org/2000/svg";
const DRAWN = new Set(["svg", "path", "rect", "circle", "g", "text", "title", "tspan"]);

export const $ = (id) => document.getElementById(id);

export function h(tag, attributes = {}, ...children) {
  const made = DRAWN.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/* The text of an element that holds nothing else; its text node stays. */
export function text(node, value) {
  const kept = node.firstChild;
  if (kept?.nodeType !== Node.TEXT_NODE) node.textContent = value;
  else if (kept.data !== value) kept.data = value;
}
export function put(node, properties) {
  for (const [name, value] of Object.entries(properties)) if (node[name] !== value) node[name] = value;
}
export function attribute(node, name, value) {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}
/* Children of `parent` are those of `items` in order: one that was there before stays as it is.
   `make` takes an item and may use nothing else, so that equal items look alike. */
const madeFor = new WeakMap();
export function list(parent, items, make) {
  const old = madeFor.get(parent) ?? new Map();
  const made = new Map();
  for (const item of items) {
    let key = JSON.stringify(item);
    while (made.has(key)) key += "+";
    made.set(key, old.get(key) ?? make(item));
  }
  for (const [key, node] of old) if (!made.has(key)) node.remove();
  let next = parent.firstChild;
  for (const node of made.values()) {
    if (node === next) next = next.nextSibling;
    else parent.insertBefore(node, next);
  }
  madeFor.set(parent, made);
}

/* Calls with the width inside of an element whenever it changes, once the layout is done: to ask for
   it between writes would do the layout twice. */
export function onWidth(node, changed) {
  new ResizeObserver(([{ contentRect }]) => { if (contentRect.width) changed(contentRect.width); }).observe(node);
}

export function table(caption, heads, rows) {
  const head = h("tr", {}, ...heads.map((text) => h("th", { scope: "col" }, text)));
  const body = rows.map(([first, ...rest]) => h("tr", {}, h("th", { scope: "row" }, first), ...rest.map((text) => h("td", {}, text))));
  return h("table", {}, h("caption", {}, caption), h("thead", {}, head), h("tbody", {}, ...body));
}

/* A table that may grow and shrink: cells that are there stay. */
export function grid(parent, caption, heads, rows) {
  if (!parent.firstChild) parent.append(table(caption, [], []));
  const { caption: title, tHead, tBodies: [body] } = parent.firstChild;
  text(title, caption);
  while (body.rows.length > rows.length) body.deleteRow(-1);
  while (body.rows.length < rows.length) body.insertRow();
  fill(tHead.rows[0], heads, () => h("th", { scope: "col" }));
  rows.forEach((cells, index) => fill(body.rows[index], cells, (column) => (column ? h("td") : h("th", { scope: "row" }))));
}
function fill(row, cells, make) {
  while (row.cells.length > cells.length) row.deleteCell(-1);
  while (row.cells.length < cells.length) row.append(make(row.cells.length));
  cells.forEach((value, column) => text(row.cells[column], value));
}

export function save(name, text, type) {
  const address = URL.createObjectURL(new Blob([text], { type }));
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 0);
}
