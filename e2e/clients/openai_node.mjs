// The official OpenAI SDK for Node against the gateway: BASE_URL, API_KEY and NODE_DIR (whose node_modules holds the
// package) in, one line per check out. The provider behind it is the one of openai_python.py.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.env.NODE_DIR, "package.json"));
const OpenAI = require("openai").default;

const model = "lab/tiny";
const ask = (content) => [{ role: "user", content }];
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const tools = [{ type: "function", function: { name: "get_weather", parameters } }];
const client = new OpenAI({ baseURL: process.env.BASE_URL, apiKey: process.env.API_KEY, maxRetries: 0 });
const create = (body) => client.chat.completions.create({ model, messages: ask("hi"), ...body });

const checks = {
  async plain() {
    const answer = await create({});
    assert.equal(answer.choices[0].message.content, "Hello from here");
    assert.match(answer.id, /^gen-/);
    assert.equal(answer.model, model);
    assert.ok(answer.usage.cost > 0);
  },
  async headers() {
    const { data, response } = await create({}).withResponse();
    assert.equal(response.headers.get("x-generation-id"), data.id);
    assert.equal(Number(response.headers.get("x-tollway-cost-usd")), data.usage.cost);
  },
  async stream() {
    let text = "";
    let usage;
    for await (const chunk of await create({ stream: true })) {
      text += chunk.choices[0]?.delta?.content ?? "";
      usage = chunk.usage ?? usage;
    }
    assert.equal(text, "Hello from here");
    assert.equal(usage.completion_tokens, 3);
    assert.ok(usage.cost > 0);
  },
  async streamHelper() {
    const final = await client.chat.completions.stream({ model, messages: ask("hi") }).finalChatCompletion();
    assert.equal(final.choices[0].message.content, "Hello from here");
  },
  async toolsStreamed() {
    const run = client.chat.completions.stream({ model, messages: ask("weather?"), tools });
    const final = await run.finalChatCompletion();
    assert.equal(final.choices[0].message.tool_calls[0].function.arguments, '{"city":"Bern"}');
  },
  async abort() {
    const stream = await create({ stream: true });
    for await (const chunk of stream) {
      assert.ok(chunk.id);
      stream.controller.abort();
    }
  },
  async errors() {
    await assert.rejects(create({ messages: ask("fail") }), OpenAI.BadRequestError);
    await assert.rejects(create({ model: "lab/tinny" }), OpenAI.NotFoundError);
    const stranger = client.withOptions({ apiKey: "sk-nobody-0123456789" });
    await assert.rejects(stranger.chat.completions.create({ model, messages: ask("hi") }), OpenAI.AuthenticationError);
  },
};

for (const [name, check] of Object.entries(checks)) {
  await check();
  console.log("ok", name);
}
