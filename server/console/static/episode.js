/* What observations say; pure. `observations` is indexed by step, with holes for what was missed. */

/* No metric at all of the callers' view arrived: then nobody knows whether the SLA is met. */
export function standing(observation, service) {
  if (!observation) return { kind: "", text: "–" };
  if (!observation.sla_status[service]) return { kind: "broken", text: "✕ broken" };
  const { latency_p99, error_rate } = observation.metrics[service];
  return latency_p99 === null && error_rate === null ? { kind: "unknown", text: "? no data" } : { kind: "met", text: "✓ met" };
}
export const broken = (observation) => Object.keys(observation.sla_status).filter((service) => !observation.sla_status[service]);

/* The action that led to an observation; null at step 0. */
export const actionOf = (observation) => (observation?.step ? observation.action_history.at(-1) ?? null : null);
export const isRefused = (observation) => Boolean(observation?.last_action_error);
/* Steps in which an action on the service was taken; one that was refused did nothing. */
export function actedOn(observations, service) {
  return observations.filter((observation) => observation && !isRefused(observation) && actionOf(observation)?.service_id === service).map((observation) => observation.step);
}
export const valuesOf = (observations, service, metric) => Array.from(observations, (observation) => observation?.metrics[service][metric] ?? null);

/* First steps in which something was seen broken, an action was taken, and all was met to the end. */
export function milestones(observations, pass) {
  const heard = observations.find((observation) => observation && broken(observation).length);
  const acted = observations.find((observation) => observation && !isRefused(observation) && actionOf(observation) && actionOf(observation).action !== pass);
  return { first_symptom: heard?.step ?? null, first_action: acted?.step ?? null };
}

/* How it ended, from the record's truth where that may be seen; recovered_at: undefined where nobody can say. */
export function outcome({ recovered_at, resolved }, faults) {
  const recovered = recovered_at === undefined ? null : recovered_at === null ? "not recovered" : `recovered at step ${recovered_at}`;
  if (!faults) return recovered && `${resolved ? "✓" : "✕"} ${recovered}`;
  const real = faults.filter((fault) => fault.root !== null);
  if (!real.length) return "✓ nothing was broken";
  const cures = real.map((fault) => {
    const name = `${fault.kind} at ${fault.root}`;
    return (fault.cured_at ?? null) === null ? `✕ ${name}: not cured` : `✓ ${name}: cured at step ${fault.cured_at} by ${fault.cured_by}`;
  });
  return [...cures, recovered].filter(Boolean).join("; ");
}
