/* The call graph: every service at its place from the first step on, and on each edge what its
   spans say: calls, p99, share that failed. An edge without spans in this window is grey. */
import { $, attribute, h, onWidth, text } from "./dom.js";
import { standing } from "./episode.js";
import { percent, services, world } from "./world.js";

const [ROW, TALL, LINE, LEAST] = [104, 40, 13, 300];
const EDGES = Object.entries(world.calls).flatMap(([caller, callees]) => callees.map((callee) => ({ caller, callee })));
let nodes = [];
let edges = [];

export function buildGraph() {
  nodes = services.map((service) => {
    const [box, name, said] = [h("rect", { height: TALL, rx: 7 }), h("text", {}, service), h("text")];
    return { service, box, name, said };
  });
  edges = EDGES.map(({ caller, callee }) => {
    const lines = [h("tspan"), h("tspan"), h("tspan")];
    return { caller, callee, line: h("path"), back: h("rect", { class: "back", rx: 3 }), lines, label: h("text", {}, ...lines) };
  });
  // Lines first: no line and no background is to lie on what can be read.
  $("graph").append(...edges.map(({ line }) => line), ...edges.map(({ back }) => back), ...edges.map(({ label }) => label), ...nodes.flatMap(({ box, name, said }) => [box, name, said]));
  place(LEAST);
  onWidth($("graph").parentElement, (width) => place(Math.max(LEAST, width)));
}
export function drawGraph(observation) {
  const now = new Map(observation.trace_edges.map((edge) => [`${edge.caller} ${edge.callee}`, edge]));
  const spoken = edges.map((each) => drawEdge(each, now.get(`${each.caller} ${each.callee}`)));
  attribute($("graph"), "aria-label", spoken.join("; "));
  for (const { service, box, said } of nodes) {
    const { kind, text: words } = standing(observation, service);
    attribute(box, "class", `node ${kind}`);
    attribute(said, "class", kind);
    text(said, words);
  }
}
/* What it shows, in words. */
function drawEdge({ caller, callee, line, label, lines, back }, edge) {
  const kind = !edge ? "unseen" : edge.error_rate > world.sla.error_rate ? "broken" : "";
  const p99 = edge && Math.round(edge.latency_p99);
  const said = edge ? [`${edge.calls} calls`, `p99 ${p99}`, `${kind ? "✕ " : ""}${percent(edge.error_rate)}`] : ["", "no data", ""];
  attribute(line, "class", `edge ${kind}`);
  attribute(label, "class", kind);
  attribute(back, "class", edge ? "back" : "back low");
  lines.forEach((each, index) => text(each, said[index]));
  return `${caller} to ${callee}: ${edge ? `${edge.calls} calls, p99 ${p99} ms, ${percent(edge.error_rate)} failed` : "no data"}`;
}
function place(width) {
  const { places, height } = placed(width);
  attribute($("graph"), "viewBox", `0 0 ${width} ${height}`);
  attribute($("graph"), "height", height);
  const set = (node, attributes) => Object.entries(attributes).forEach(([name, value]) => attribute(node, name, value));
  for (const { service, box, name, said } of nodes) {
    const { x, y, width: wide } = places.get(service);
    set(box, { x: x - wide / 2, y: y - TALL / 2, width: wide });
    set(name, { x, y: y - 3, class: wide < 104 ? "small" : "" });
    set(said, { x, y: y + 13 });
  }
  for (const { caller, callee, line, back, lines } of edges) {
    const [from, to] = [places.get(caller), places.get(callee)];
    const [x, y] = [(from.x + to.x) / 2, (from.y + to.y) / 2];
    set(line, { d: `M${from.x} ${from.y + TALL / 2}C${from.x} ${y} ${to.x} ${y} ${to.x} ${to.y - TALL / 2}` });
    set(back, { x: x - 31, y: y - 1.5 * LINE, width: 62, height: 3 * LINE });
    lines.forEach((each, index) => set(each, { x, y: y + 4 + LINE * (index - 1) }));
  }
}
/* Rows by the longest way from a service that nobody calls. */
function placed(width) {
  const row = new Map(services.map((service) => [service, 0]));
  for (const caller of services) for (const callee of world.calls[caller]) row.set(callee, Math.max(row.get(callee), row.get(caller) + 1));
  const deepest = Math.max(...row.values());
  const places = new Map();
  for (let depth = 0; depth <= deepest; depth += 1) {
    const level = services.filter((service) => row.get(service) === depth);
    level.forEach((service, index) => places.set(service, { x: ((index + 0.5) * width) / level.length, y: 23 + ROW * depth, width: Math.min(150, width / level.length - 6) }));
  }
  return { places, height: 46 + ROW * deepest };
}
