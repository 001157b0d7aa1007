// Server-sent events read from a fetch: the browser's own EventSource can neither post nor send a token.
import { headers, refusal } from "./dom.js";

/** Post `value` and hand each event's JSON to `each`; resolves to the response's headers as soon as they are there. */
export async function stream(url, value, { signal, opened, each }) {
  const response = await fetch(url, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify(value),
    signal,
  });
  if (!response.ok) throw await refusal(response);
  opened(response.headers);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value: piece, done } = await reader.read();
    held += piece ?? "";
    const events = held.split(/\r?\n\r?\n/);
    held = done ? "" : events.pop();
    for (const event of events) {
      const line = event.split("\n").find((one) => one.startsWith("data:"));
      const text = line?.slice(5).trim();
      if (text && text !== "[DONE]") each(JSON.parse(text));
    }
    if (done) return;
  }
}
