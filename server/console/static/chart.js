/* One metric of all services over the steps, with axes, the SLA's limit and the actions; by uPlot.
   The same numbers stand in a table for those who cannot see it. */
import { $, grid, text } from "./dom.js";
import { actionOf, isRefused, valuesOf } from "./episode.js";
import { shown } from "./view.js";
import { METRICS, services, world } from "./world.js";

const HUES = [205, 25, 145, 280, 340, 60, 180];
let open = null; // { metric, chosen, plot }

export function openChart(metric, service) {
  open?.plot?.destroy();
  open = { metric, chosen: service, plot: null };
  $("chart-panel").hidden = false;
  drawChart();
  $("chart-panel").scrollIntoView({ block: "nearest" });
  $("chart-close").focus({ preventScroll: true });
}
export function closeChart() {
  open?.plot?.destroy();
  open = null;
  $("chart-panel").hidden = true;
}
/* New steps go into the plot that is there: to make one takes a hundred times as long. */
export function drawChart() {
  if (!open) return;
  const observations = shown();
  const metric = METRICS[open.metric];
  text($("chart-title"), `${metric.label} of all services, ${open.chosen} in bold`);
  const steps = Array.from({ length: world.max_steps + 1 }, (_, step) => step);
  const ofAll = services.map((service) => valuesOf(observations, service, open.metric));
  const padded = ofAll.map((values) => steps.map((step) => values[step] ?? null));
  const limit = metric.limit ? [steps.map(() => metric.limit)] : [];
  const data = [steps, ...padded, ...limit];
  open.marks = observations.filter((o) => o && actionOf(o) && !isRefused(o) && actionOf(o).service_id).map((o) => ({ step: o.step, text: `${actionOf(o).action} ${actionOf(o).service_id}` }));
  const drawn = JSON.stringify([data, open.marks]);
  if (drawn !== open.drawn) open.plot?.setData(data);
  open.drawn = drawn;
  open.plot ??= makePlot(data, metric);
  if (!$("chart-numbers").open) return;
  const lost = (values, step) => (step >= values.length ? "" : values[step] === null ? "lost" : metric.show(values[step]));
  const rows = services.map((service, index) => [service, ...observations.map((_, step) => lost(ofAll[index], step))]);
  grid($("chart-table"), `${metric.label} by service and step; actions: ${open.marks.map(({ step, text }) => `step ${step} ${text}`).join(", ") || "none"}`, ["service", ...observations.keys()].map(String), rows);
}
function makePlot(data, metric) {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const style = getComputedStyle(document.documentElement);
  const [text, line, bad, main] = ["--text", "--line", "--broken", "--main"].map((name) => style.getPropertyValue(name));
  const axis = { stroke: text, grid: { stroke: line, width: 1 }, ticks: { stroke: line } };
  const series = services.map((service, index) => ({
    label: service, stroke: `hsl(${HUES[index]} 75% ${dark ? 65 : 36}%)`, width: service === open.chosen ? 3.5 : 1.3, points: { show: true, size: 5 }, spanGaps: false,
  }));
  const limit = metric.limit ? [{ label: `SLA limit ${metric.show(metric.limit)}`, stroke: bad, dash: [5, 4], width: 1.5, points: { show: false } }] : [];
  const options = {
    width: $("chart").clientWidth, height: 260, cursor: { drag: { setScale: false } },
    scales: { x: { time: false }, y: { range: (_, __, most) => [0, Math.max(metric.least, most ?? 0) * 1.05] } },
    axes: [{ ...axis, label: "step" }, { ...axis, label: `${metric.label}, ${metric.unit}`, size: 62 }],
    series: [{ label: "step" }, ...series, ...limit], hooks: { draw: [(plot) => drawMarks(plot, main)] },
  };
  return new window.uPlot(options, data, $("chart"));
}
function drawMarks(plot, color) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.strokeStyle = ctx.fillStyle = color;
  ctx.setLineDash([]);
  ctx.lineWidth = 1.5 * devicePixelRatio;
  ctx.textAlign = "left";
  ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
  for (const { step, text } of open?.marks ?? []) {
    const x = plot.valToPos(step, "x", true);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.save();
    ctx.translate(x + 3 * devicePixelRatio, bbox.top + 4 * devicePixelRatio);
    ctx.rotate(Math.PI / 2);
    ctx.fillText(text, 0, 0);
    ctx.restore();
  }
  ctx.restore();
}
$("chart-numbers").addEventListener("toggle", drawChart);
addEventListener("resize", () => open?.plot?.setSize({ width: $("chart").clientWidth, height: 260 }));
