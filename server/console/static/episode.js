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

/* Steps to detect and to recover, as debriefs and the ladder count them: the first accepted action on
   a cause, and the recovery; null where that did not come, or the truth may not be seen. */
export function times({ observations, faults, recovered_at }, pass) {
  const causes = (faults ?? []).map(({ root }) => root);
  const isAtCause = ({ action, service_id }) => action !== pass && causes.includes(service_id);
  const acted = observations.find((observation) => observation && !isRefused(observation) && actionOf(observation) && isAtCause(actionOf(observation)));
  return { mttd: acted?.step ?? null, mttr: recovered_at ?? null };
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
