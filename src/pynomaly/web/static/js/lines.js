// Answers that take a while: lines of progress, and last a result or what is wrong.

/** The result. Throws an Error whose message is for people; aborting `signal` ends the work, too. */
export async function lines(path, body, signal, progress) {
  let response;
  try {
    response = await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body), signal });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Error("The server cannot be reached; try again when it answers.");
  }
  if (!response.ok) throw new Error((await response.json().catch(() => ({}))).error ?? `The server answered with ${response.status}.`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    text += value ?? "";
    const whole = text.split("\n");
    text = whole.pop();
    for (const line of whole.map((each) => JSON.parse(each))) {
      if (line.error) throw new Error(line.error);
      if (line.result) return line.result;
      progress(line.progress);
    }
    if (done) throw new Error("The server ended before it was done; try again.");
  }
}
