// The openai npm package against a running Selat: node use_openai.mjs URL KEY FOLDER_WITH_NODE_MODULES

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const [url, key, folder] = process.argv.slice(2);
const OpenAI = createRequire(`${folder}/`)("openai").default;
const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: 0 });
const TEXT = "MyKad saya 900101-14-5678";
const parameters = { type: "object", properties: { text: { type: "string" } } };
const say = (content) => [{ role: "user", content }];

const answer = await client.chat.completions.create({ model: "echo", messages: say("apa khabar") });
assert.equal(answer.choices[0].message.content, "apa khabar");
console.log("chat");

let said = "";
for await (const chunk of await client.chat.completions.create({ model: "far", messages: say(TEXT), stream: true }))
  said += chunk.choices[0]?.delta?.content ?? "";
assert.equal(said, TEXT);
console.log("stream");

const tools = [{ type: "function", function: { name: "semak", parameters } }];
const runner = client.chat.completions.stream({ model: "far-tools", messages: say(TEXT), tools });
const called = (await runner.finalChatCompletion()).choices[0].message.tool_calls[0];
assert.deepEqual(JSON.parse(called.function.arguments), { text: TEXT });
console.log("tool");

const rows = await client.embeddings.create({ model: "echo", input: ["satu", "dua"] });
assert.equal(rows.data.length, 2);
console.log("embeddings");

assert.equal((await client.responses.create({ model: "far", input: TEXT })).output_text, TEXT);
const events = client.responses.stream({
  model: "far-tools",
  input: TEXT,
  tools: [{ type: "function", name: "semak", parameters, strict: false }],
});
const final = await events.finalResponse();
assert.deepEqual(JSON.parse(final.output[0].arguments), { text: TEXT });
console.log("responses");

await assert.rejects(client.chat.completions.create({ model: "tiada", messages: say("hai") }), OpenAI.NotFoundError);
console.log("errors");
