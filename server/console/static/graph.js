/* The call graph: every service at its place from the first step on, and on each edge what its
   spans say: calls, p99, share that failed. An edge without spans in this window is grey. */
import { $, h } from "./dom.js";
import { standing } from "./episode.js";
import { percent, services, world } from "./world.js";

const ROW = 104;

export function drawGraph(observation) {
  const width = Math.max(300, $("graph").parentElement.clientWidth - 26);
  const places = placed(width);
  const now = new Map(observation.trace_edges.map((edge) => [`${edge.caller} ${edge.callee}`, edge]));
  const known = Object.entries(world.calls).flatMap(([caller, callees]) => callees.map((callee) => ({ caller, callee })));
  const spoken = [];
  const edges = known.map(({ caller, callee }) => {
    const edge = now.get(`${caller} ${callee}`);
    const [from, to] = [places.get(caller), places.get(callee)];
    const kind = !edge ? "unseen" : edge.error_rate > world.sla.error_rate ? "broken" : "";
    const text = edge ? [`${edge.calls} calls`, `p99 ${Math.round(edge.latency_p99)}`, `${kind ? "✕ " : ""}${percent(edge.error_rate)}`] : ["no data"];
    spoken.push(`${caller} to ${callee}: ${edge ? `${edge.calls} calls, p99 ${Math.round(edge.latency_p99)} ms, ${percent(edge.error_rate)} failed` : "no data"}`);
    const [x, y] = [(from.x + to.x) / 2, (from.y + to.y) / 2];
    const line = h("path", { class: `edge ${kind}`, d: `M${from.x} ${from.y + 20}C${from.x} ${y} ${to.x} ${y} ${to.x} ${to.y - 20}` });
    const label = text.map((part, index) => h("text", { class: `label ${kind}`, x, y: y + 4 + 13 * (index - (text.length - 1) / 2) }, part));
    return h("g", {}, line, ...label);
  });
  const nodes = [...places].map(([service, { x, y, width: wide }]) => {
    const { kind, text } = standing(observation, service);
    const box = h("rect", { class: `node ${kind}`, x: x - wide / 2, y: y - 20, width: wide, height: 40, rx: 7 });
    return h("g", {}, box, h("text", { class: wide < 104 ? "small" : "", x, y: y - 3 }, service), h("text", { class: kind, x, y: y + 13 }, text));
  });
  $("graph").setAttribute("aria-label", spoken.join("; "));
  $("graph").replaceChildren(...edges, ...nodes);
}
/* Rows by the longest way from a service that nobody calls. */
function placed(width) {
  const row = new Map(services.map((service) => [service, 0]));
  for (const caller of services) for (const callee of world.calls[caller]) row.set(callee, Math.max(row.get(callee), row.get(caller) + 1));
  const deepest = Math.max(...row.values());
  $("graph").setAttribute("viewBox", `0 0 ${width} ${46 + ROW * deepest}`);
  const places = new Map();
  for (let depth = 0; depth <= deepest; depth += 1) {
    const level = services.filter((service) => row.get(service) === depth);
    level.forEach((service, index) => places.set(service, { x: ((index + 0.5) * width) / level.length, y: 23 + ROW * depth, width: Math.min(150, width / level.length - 6) }));
  }
  return places;
}
