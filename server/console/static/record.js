/* A record's file (JSON lines) as an episode that can be shown, also one that was cut in its last line.
   Throws Error with the line's number. */
import { world } from "./world.js";

export function parseRecord(text) {
  const lines = text.split("\n").filter((line) => line.trim());
  const parsed = lines.flatMap((line, index) => {
    try { return [JSON.parse(line)]; } catch { if (index && index === lines.length - 1) return []; }
    throw new Error(`line ${index + 1} is no JSON: not a record`);
  });
  const [header, ...rest] = parsed;
  if (header?.type !== "episode") throw new Error("the first line is no `episode`: not a record");
  const next = rest.findIndex((line) => line.type === "episode");
  const own = next < 0 ? rest : rest.slice(0, next);
  const steps = own.filter((line) => line.type === "step");
  const end = own.find((line) => line.type === "end");
  if (!steps.length || !steps[0].observed?.metrics) throw new Error("the record holds no observations to show");
  const faults = end?.faults ?? header.faults;
  return {
    episode: header.episode_id, tier: header.tier, seed: header.seed, policy: header.policy, backend: header.backend,
    world_version: header.world_version, observations: steps.map((step) => step.observed), steps, faults,
    recovered_at: recoveredAt(steps, faults), done: true, total: end?.score ?? null, validity: end?.validity ?? null, score: null,
  };
}
const isMet = (step) => Object.values(step.true).every((service) => service.sla_met);

/* As the grader has it: the first of the windows in a row, all faults cured and all SLAs met, that
   end an episode. */
function recoveredAt(steps, faults) {
  const cures = faults.map((fault) => fault.cured_at ?? null);
  if (!cures.length || cures.includes(null)) return null;
  const first = Math.max(1, ...cures);
  let inRow = 0;
  for (const step of steps) {
    inRow = step.step >= first && isMet(step) ? inRow + 1 : 0;
    if (inRow === world.recovery_windows) return step.step + 1 - inRow;
  }
  return null;
}
