/* What is known before the first observation: names, prices, limits, the call graph. */
import { $ } from "./dom.js";

export const world = JSON.parse($("world").textContent);
export const services = Object.keys(world.calls);
export const actions = Object.keys(world.costs).filter((action) => action !== world.pass);

export const percent = (share) => (share > 0 && share < 0.1 ? (100 * share).toFixed(1) : Math.round(100 * share)) + " %";
const whole = (unit) => (value) => `${Math.round(value)} ${unit}`;
export const METRICS = {
  latency_p99: { label: "p99", unit: "ms", show: whole("ms"), limit: world.sla.latency_p99, least: 1.5 * world.sla.latency_p99 },
  error_rate: { label: "errors", unit: "share", show: percent, limit: world.sla.error_rate, least: 5 * world.sla.error_rate },
  cpu_pct: { label: "CPU", unit: "%", show: whole("%"), least: 100 },
  memory_pct: { label: "memory", unit: "%", show: whole("%"), least: 100 },
};
