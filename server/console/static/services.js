/* The table of services: SLA, sparklines, and the buttons that act on one. */
import { $, attribute, h, put, text } from "./dom.js";
import { actedOn, standing, valuesOf } from "./episode.js";
import { actions, METRICS, services, world } from "./world.js";

const [WIDTH, HEIGHT] = [78, 24];
const cells = {};

export function buildServices(act, openChart) {
  $("heads").append(...["service", "SLA", ...Object.values(METRICS).map(({ label }) => label), "actions (cost)"].map((head) => h("th", { scope: "col" }, head)));
  services.forEach((service, index) => {
    const metrics = Object.entries(METRICS).map(([name, { label }]) => {
      const value = h("span", {});
      const curve = buildSpark();
      const spark = h("button", { type: "button", class: "spark", "aria-label": `chart of ${label}, opened at ${service}`, onclick: () => openChart(name, service) }, curve.drawn);
      cells[`${name} ${service}`] = { value, curve };
      return h("td", { class: "metric", "data-label": label }, value, spark);
    });
    const buttons = actions.map((action) => h(
      "button", { "data-when": "running", type: "button", title: world.does[action], onclick: () => act(action, service) },
      action, " ", h("small", {}, `(${world.costs[action]})`), h("span", { class: "hidden-text" }, ` ${service}`),
    ));
    const mark = h("span", { class: "mark" });
    const state = h("td", { class: "state" }, mark);
    cells[service] = { mark };
    const head = h("th", { scope: "row" }, h("kbd", {}, String(index + 1)), " ", service);
    $("services").append(h("tr", { id: `row-${index + 1}` }, head, state, ...metrics, h("td", { class: "actions" }, ...buttons)));
  });
}
export function renderServices(observations, most) {
  const observation = observations.at(-1);
  for (const service of services) {
    const { kind, text: said } = standing(observation, service);
    const { mark } = cells[service];
    put(mark, { className: `mark ${kind}` });
    text(mark, said);
    const acted = actedOn(observations, service);
    for (const [name, metric] of Object.entries(METRICS)) {
      const values = valuesOf(observations, service, name);
      const now = values.at(-1) ?? null;
      const { value, curve } = cells[`${name} ${service}`];
      text(value, now !== null ? metric.show(now) : observation ? "lost" : "–");
      put(value, { className: now > metric.limit ? "over" : "" });
      drawSpark(curve, values, metric, most, acted);
    }
  }
}
function buildSpark() {
  const [limit, acted, value, last] = ["limit", "acted", "value", "last"].map((name) => h("path", { class: name, d: "" }));
  const axis = h("path", { class: "axis", d: `M0 ${HEIGHT - 1}H${WIDTH}` });
  const drawn = h("svg", { width: WIDTH, height: HEIGHT, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" }, axis, limit, acted, value, last);
  return { drawn, limit, acted, value, last };
}
function drawSpark(curve, values, metric, most, acted) {
  const top = Math.max(metric.least, ...values);
  const x = (step) => (2 + (step * (WIDTH - 4)) / most).toFixed(1);
  const y = (value) => (HEIGHT - 2 - (value / top) * (HEIGHT - 4)).toFixed(1);
  let path = "";
  values.forEach((value, step) => {
    const joined = step > 0 && values[step - 1] !== null;
    if (value !== null) path += `${joined ? "L" : "M"}${x(step)} ${y(value)}${joined ? "" : "h0"}`;
  });
  const now = values.at(-1) ?? null;
  attribute(curve.value, "d", path);
  attribute(curve.last, "d", now === null ? "" : `M${x(values.length - 1)} ${y(now)}h0`);
  attribute(curve.acted, "d", acted.map((step) => `M${x(step)} 0V${HEIGHT}`).join(""));
  if (metric.limit) attribute(curve.limit, "d", `M0 ${y(metric.limit)}H${WIDTH}`);
}
