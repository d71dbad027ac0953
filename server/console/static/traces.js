/* Traces: in a record, the worst call of each edge in a window with all calls of its trace, as a
   waterfall. Live backends have them; the simulator makes no spans one by one. */
import { $, h, onWidth, put } from "./dom.js";

const ROW = 22;
let chosen = "";
let drawnStep = null;
let width = 280;

const edgeName = ({ caller, callee }) => `${caller} → ${callee}`;
/* Edges whose worst call has a trace that was kept, those that failed first, then the slowest. */
export function tracedEdges(step) {
  const traced = (step.edges ?? []).filter(({ trace_id }) => step.traces?.[trace_id]);
  return traced.sort((a, b) => b.failed - a.failed || b.latency_p99 - a.latency_p99);
}
/* How deep each call lies: one more than the last call to its caller that began before it. */
export function depths(calls) {
  const depthOf = new Map();
  return calls.map(({ caller, callee }) => {
    const depth = depthOf.has(caller) ? depthOf.get(caller) + 1 : 0;
    depthOf.set(callee, depth);
    return depth;
  });
}
export function drawTraces(step) {
  put($("trace-panel"), { hidden: !step });
  if (step === drawnStep) return;
  drawnStep = step;
  drawChosen();
}
function drawChosen() {
  const edges = drawnStep ? tracedEdges(drawnStep) : [];
  put($("trace-none"), { hidden: edges.length > 0 });
  put($("trace-shown"), { hidden: !edges.length });
  if (!edges.length) return;
  const worst = edges.find((edge) => edgeName(edge) === chosen) ?? edges[0];
  $("trace-edge").replaceChildren(...edges.map((edge) => h("option", { value: edgeName(edge), selected: edge === worst }, `${edgeName(edge)}: ${Math.round(edge.latency_p99)} ms, ${edge.failed} of ${edge.calls} failed`)));
  drawWaterfall(drawnStep.traces[worst.trace_id], worst);
}
function drawWaterfall(calls, worst) {
  const end = Math.max(...calls.map(({ start_ms, latency_ms }) => start_ms + latency_ms), 1);
  const x = (ms) => (ms * width) / end;
  const depth = depths(calls);
  const spoken = calls.map((each) => `${edgeName(each)} from ${each.start_ms.toFixed(1)} ms for ${each.latency_ms.toFixed(1)} ms${each.failed ? ", failed" : ""}`);
  const rows = calls.flatMap((each, index) => {
    const isWorst = each.caller === worst.caller && each.callee === worst.callee;
    const text = `${"· ".repeat(depth[index])}${each.failed ? "✕ " : ""}${edgeName(each)}, ${each.latency_ms.toFixed(1)} ms`;
    return [
      h("rect", { class: `call ${each.failed ? "broken" : ""} ${isWorst ? "worst" : ""}`, x: x(each.start_ms), y: index * 2 * ROW + ROW, width: Math.max(2, x(each.latency_ms)), height: ROW - 8, rx: 3 }),
      h("text", { class: `left ${each.failed ? "broken" : ""}`, x: 0, y: index * 2 * ROW + ROW - 6 }, text),
    ];
  });
  $("waterfall").setAttribute("viewBox", `0 0 ${width} ${calls.length * 2 * ROW}`);
  $("waterfall").setAttribute("aria-label", spoken.join("; "));
  $("waterfall").replaceChildren(...rows);
  $("trace-id").textContent = `Trace ${worst.trace_id}, ${end.toFixed(0)} ms; calls that ended within this window.`;
}
export function buildTraces() {
  $("trace-edge").addEventListener("change", () => { chosen = $("trace-edge").value; drawChosen(); });
  onWidth($("trace-panel"), (inside) => { width = Math.max(280, inside); drawChosen(); });
}
