/* Calls of this server; an error has the server's own words, its status and when to try again. */
let token = null;
export const setToken = (value) => { token = value || null; };
export const hasToken = () => token !== null;

export async function ask(method, path, body) {
  const headers = { ...(body && { "Content-Type": "application/json" }), ...(token && { Authorization: `Bearer ${token}` }) };
  const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) }).catch(() => {
    throw new Error("The server does not answer. Is it running, and reachable from here?");
  });
  if (answer.ok) return answer;
  const reply = await answer.json().catch(() => ({}));
  const detail = typeof reply.detail === "string" ? reply.detail : `The server answered ${answer.status}.`;
  const valid = reply.valid_values && `valid: ${reply.valid_values.join(", ")}`;
  const seconds = Number(answer.headers.get("Retry-After")) || null;
  const error = new Error([detail, valid, seconds && `a place is free in ${seconds} s at the latest, unless others play on`].filter(Boolean).join(" – "));
  throw Object.assign(error, { status: answer.status, kind: reply.error });
}
export async function call(method, path, body) {
  const answer = await ask(method, path, body);
  return answer.status === 204 ? null : answer.json();
}
/* A call that outlives the page. */
export const callWhileLeaving = (method, path) => { fetch(path, { method, keepalive: true }).catch(() => {}); };
