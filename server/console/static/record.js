/* A record's file (JSON lines) as an episode that can be shown. Throws Error with the line's number. */
export function parseRecord(text) {
  const lines = text.split("\n").filter((line) => line.trim());
  const parsed = lines.map((line, index) => {
    try { return JSON.parse(line); } catch { throw new Error(`line ${index + 1} is no JSON: not a record`); }
  });
  const [header, ...rest] = parsed;
  if (header?.type !== "episode") throw new Error("the first line is no `episode`: not a record");
  const next = rest.findIndex((line) => line.type === "episode");
  const own = next < 0 ? rest : rest.slice(0, next);
  const steps = own.filter((line) => line.type === "step");
  const end = own.find((line) => line.type === "end");
  if (!steps.length || !steps[0].observed?.metrics) throw new Error("the record holds no observations to show");
  return {
    episode: header.episode_id, tier: header.tier, seed: header.seed, policy: header.policy, backend: header.backend,
    world_version: header.world_version, observations: steps.map((step) => step.observed), steps,
    faults: end?.faults ?? header.faults, done: true, total: end?.score ?? null, validity: end?.validity ?? null, score: null,
  };
}
/* Steps and seconds from the first true breach to the first action and to the recovery. */
export function times(record, pass) {
  const breach = record.steps.find((step) => Object.values(step.true).some((service) => !service.sla_met))?.step ?? null;
  const acted = record.steps.find((step) => step.action && step.action.accepted && step.action.action !== pass)?.step ?? null;
  const broken = record.steps.filter((step) => Object.values(step.true).some((service) => !service.sla_met)).map((step) => step.step);
  const recovered = breach === null ? null : broken.at(-1) + 1 < record.steps.length ? broken.at(-1) + 1 : null;
  const seconds = (from, to) => (from === null || to === null || !record.steps[from].began_at ? null : record.steps[to].began_at - record.steps[from].began_at);
  const after = (step) => (breach === null || step === null ? null : Math.max(0, step - breach));
  return { breach, acted, recovered, mttd: after(acted), mttr: after(recovered), mttd_s: seconds(breach, acted), mttr_s: seconds(breach, recovered) };
}
