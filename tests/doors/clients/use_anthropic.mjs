// The @anthropic-ai/sdk npm package against a running Selat: node use_anthropic.mjs URL KEY FOLDER_WITH_NODE_MODULES

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const [url, key, folder] = process.argv.slice(2);
const Anthropic = createRequire(`${folder}/`)("@anthropic-ai/sdk").default;
const client = new Anthropic({ baseURL: url, apiKey: key, maxRetries: 0 });
const TEXT = "MyKad saya 900101-14-5678";
const ask = (model, content) => ({ model, max_tokens: 99, messages: [{ role: "user", content }] });
const tools = [{ name: "semak", input_schema: { type: "object", properties: { text: { type: "string" } } } }];

const message = await client.messages.create(ask("echo", "apa khabar"));
assert.equal(message.content[0].text, "apa khabar");
console.log("chat");

const final = await client.messages.stream(ask("far", TEXT)).finalMessage();
assert.equal(final.content[0].text, TEXT);
console.log("stream");

const called = await client.messages.stream({ ...ask("far-tools", TEXT), tools }).finalMessage();
assert.deepEqual(called.content[0].input, { text: TEXT });
assert.equal(called.stop_reason, "tool_use");
console.log("tool");

const counted = await client.messages.countTokens({ model: "echo", messages: [{ role: "user", content: "apa khabar" }] });
assert.equal(counted.input_tokens, 3);

await assert.rejects(client.messages.create(ask("tiada", "hai")), Anthropic.NotFoundError);
console.log("errors");
