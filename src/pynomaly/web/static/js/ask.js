// Asking the server, and what it says when it refuses.

/** The answer's JSON. Throws an Error whose message is for people. */
export async function ask(path, body) {
  const post = body === undefined ? {} : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  let response;
  try {
    response = await fetch(path, post);
  } catch {
    throw new Error("The server cannot be reached; try again when it answers.");
  }
  const data = await response.json().catch(() => ({}));
  if (!response.ok) throw Object.assign(new Error(data.error ?? `The server answered with ${response.status}.`), { status: response.status });
  return data;
}

export const post = (path, body = {}) => ask(path, body);
