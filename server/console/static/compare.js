/* Two records of one seed, step by step, side by side. */
import { $, table } from "./dom.js";
import { actionOf, broken, isRefused, outcome } from "./episode.js";
import { fetchRecord, readFile } from "./replay.js";

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
  $("compare-note").textContent = same ? `Tier ${left.tier}, seed ${left.seed}: ${outcome({ recovered_at: null }, left.faults)} | ${outcome({ recovered_at: null }, right.faults)}` : "✕ These are two different incidents: tier, seed or world differ.";
  $("compare-table").replaceChildren(table(`${title(left)} beside ${title(right)}`, ["step", `${title(left)}: action`, "SLA seen broken", `${title(right)}: action`, "SLA seen broken"], compareRows([left, right])));
}
export function buildCompare(during) {
  $("compare-open").addEventListener("click", () => $("compare-dialog").showModal());
  [0, 1].forEach((side) => {
    $("compare-dialog").querySelectorAll("input[type=file]")[side].addEventListener("change", (event) => during("Reading the record", async () => {
      chosen[side] = await readFile(event.target.files[0]);
      draw();
    }));
  });
}
export async function compareIds(ids) {
  [chosen[0], chosen[1]] = await Promise.all(ids.map(fetchRecord));
  draw();
  $("compare-dialog").showModal();
}
