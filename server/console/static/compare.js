/* Two records of one seed, step by step, side by side. */
import { $, table } from "./dom.js";
import { actionOf, broken, isRefused, outcome } from "./episode.js";
import { readFile } from "./replay.js";

const chosen = [null, null];

export function compareRows([left, right]) {
  const length = Math.max(left.observations.length, right.observations.length);
  const cell = (record, step) => {
    const observation = record.observations[step];
    if (!observation) return ["over", ""];
    const action = actionOf(observation);
    const name = action ? `${action.action} ${action.service_id ?? ""}`.trim() : "–";
    return [isRefused(observation) ? `✕ ${name} (refused)` : name, broken(observation).join(", ") || "✓ all met"];
  };
  return Array.from({ length }, (_, step) => [String(step), ...cell(left, step), ...cell(right, step)]);
}
const title = (record) => `${record.policy ?? "?"} (${record.total?.toFixed(3) ?? "no score"})`;

function draw() {
  const [left, right] = chosen;
  if (!left || !right) return;
  const same = left.seed === right.seed && left.tier === right.tier && left.world_version === right.world_version;
  $("compare-table").replaceChildren();
  $("compare-note").textContent = same ? `Tier ${left.tier}, seed ${left.seed}: ${outcome(left, left.faults)} | ${outcome(right, right.faults)}` : "✕ These are two different incidents: tier, seed or world differ.";
  if (!same) return;
  $("compare-table").replaceChildren(table(`${title(left)} beside ${title(right)}`, ["step", `${title(left)}: action`, "SLA seen broken", `${title(right)}: action`, "SLA seen broken"], compareRows([left, right])));
}
export function buildCompare() {
  $("compare-open").addEventListener("click", () => $("compare-dialog").showModal());
  $("compare-dialog").querySelectorAll("input[type=file]").forEach((input, side) => input.addEventListener("change", () => choose(side, input.files[0])));
}
async function choose(side, file) {
  if (!file) return;
  try {
    chosen[side] = await readFile(file);
    draw();
  } catch (error) {
    chosen[side] = null;
    $("compare-table").replaceChildren();
    $("compare-note").textContent = `✕ ${error.message}`;
  }
}
