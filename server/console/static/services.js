/* The table of services: SLA, sparklines, and the buttons that act on one. */
import { $, h } from "./dom.js";
import { actedOn, standing, valuesOf } from "./episode.js";
import { actions, METRICS, services, world } from "./world.js";

const cells = {};

export function buildServices(act, openChart) {
  $("heads").append(...["service", "SLA", ...Object.values(METRICS).map(({ label }) => label), "actions (cost)"].map((head) => h("th", { scope: "col" }, head)));
  services.forEach((service, index) => {
    const metrics = Object.entries(METRICS).map(([name, { label }]) => {
      const value = h("span", {});
      const spark = h("button", { type: "button", class: "spark", "aria-label": `chart of ${label}, opened at ${service}`, onclick: () => openChart(name, service) });
      cells[`${name} ${service}`] = { value, spark };
      return h("td", { class: "metric", "data-label": label }, value, spark);
    });
    const buttons = actions.map((action) => h(
      "button", { "data-when": "running", type: "button", title: world.does[action], onclick: () => act(action, service) },
      action, " ", h("small", {}, `(${world.costs[action]})`), h("span", { class: "hidden-text" }, ` ${service}`),
    ));
    const state = h("td", { class: "state" });
    cells[service] = { state };
    const head = h("th", { scope: "row" }, h("kbd", {}, String(index + 1)), " ", service);
    $("services").append(h("tr", { id: `row-${index + 1}` }, head, state, ...metrics, h("td", { class: "actions" }, ...buttons)));
  });
}
export function renderServices(observations, most) {
  const observation = observations.at(-1);
  for (const service of services) {
    const { kind, text } = standing(observation, service);
    cells[service].state.replaceChildren(h("span", { class: `mark ${kind}` }, text));
    for (const [name, metric] of Object.entries(METRICS)) {
      const values = valuesOf(observations, service, name);
      const now = values.at(-1) ?? null;
      const { value, spark } = cells[`${name} ${service}`];
      value.textContent = now !== null ? metric.show(now) : observation ? "lost" : "–";
      value.className = now > metric.limit ? "over" : "";
      spark.replaceChildren(drawSpark(values, metric, most, actedOn(observations, service)));
    }
  }
}
function drawSpark(values, metric, most, acted) {
  const [width, height] = [78, 24];
  const top = Math.max(metric.least, ...values);
  const x = (step) => 2 + (step * (width - 4)) / most;
  const y = (value) => height - 2 - (value / top) * (height - 4);
  let path = "";
  values.forEach((value, step) => {
    const joined = step > 0 && values[step - 1] !== null;
    if (value !== null) path += `${joined ? "L" : "M"}${x(step)} ${y(value)}${joined ? "" : "h0"}`;
  });
  const lines = acted.map((step) => `M${x(step)} 0V${height}`).join("");
  const drawn = h("svg", { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, h("path", { class: "axis", d: `M0 ${height - 1}H${width}` }));
  if (metric.limit) drawn.append(h("path", { class: "limit", d: `M0 ${y(metric.limit)}H${width}` }));
  drawn.append(h("path", { class: "acted", d: lines }), h("path", { class: "value", d: path }));
  const now = values.at(-1) ?? null;
  if (now !== null) drawn.append(h("circle", { class: "last", cx: x(values.length - 1), cy: y(now), r: 2.4 }));
  return drawn;
}
