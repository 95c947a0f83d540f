// The official SDKs for Node beside OpenAI's: Anthropic's, Vercel's AI SDK with two of its providers, and OpenRouter's.
//
// BASE_URL, API_KEY and NODE_DIR (the folder with node_modules) in, one line per check out; the provider is that of
// openai_node.mjs.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.env.NODE_DIR}/package.json`);
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const origin = process.env.BASE_URL.replace(/\/v1$/, "");
const apiKey = process.env.API_KEY;
const model = "lab/tiny";
const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };

async function anthropic() {
  const { default: Anthropic } = await load("@anthropic-ai/sdk");
  const client = new Anthropic({ baseURL: origin, apiKey, maxRetries: 0 });
  const ask = { model, max_tokens: 50, messages: [{ role: "user", content: "hi" }] };
  const answer = await client.messages.create(ask);
  assert.equal(answer.content[0].text, "Hello from here");
  assert.equal(answer.usage.output_tokens, 3);
  const tools = [{ name: "get_weather", input_schema: schema }];
  const final = await client.messages.stream({ ...ask, tools }).finalMessage();
  assert.equal(final.stop_reason, "tool_use");
  assert.deepEqual(final.content.at(-1).input, { city: "Bern" });
}

async function vercel(provider) {
  const { generateText, streamText, tool, jsonSchema } = await load("ai");
  const answer = await generateText({ model: provider, prompt: "hi", maxRetries: 0 });
  assert.equal(answer.text, "Hello from here");
  assert.equal(answer.usage.inputTokens, 12);
  const stream = streamText({ model: provider, prompt: "hi", maxRetries: 0 });
  let text = "";
  for await (const part of stream.textStream) text += part;
  assert.equal(text, "Hello from here");
  assert.equal((await stream.usage).outputTokens, 3);
  const get_weather = tool({ description: "The weather", inputSchema: jsonSchema(schema) });
  const called = await generateText({ model: provider, prompt: "hi", tools: { get_weather }, maxRetries: 0 });
  assert.deepEqual(called.toolCalls[0].input, { city: "Bern" });
  assert.equal(called.finishReason, "tool-calls");
}

async function vercelOpenai() {
  const { createOpenAI } = await load("@ai-sdk/openai");
  const openai = createOpenAI({ baseURL: `${origin}/v1`, apiKey });
  await vercel(openai.chat(model));
  await vercel(openai.responses(model));
}

async function vercelAnthropic() {
  const { createAnthropic } = await load("@ai-sdk/anthropic");
  await vercel(createAnthropic({ baseURL: `${origin}/v1`, apiKey })(model));
}

async function openrouter() {
  const { OpenRouter } = await load("@openrouter/sdk");
  const client = new OpenRouter({ apiKey, serverURL: `${origin}/api/v1` });
  const messages = [{ role: "user", content: "hi" }];
  const answer = await client.chat.send({ chatRequest: { model, messages } });
  assert.equal(answer.choices[0].message.content, "Hello from here");
  const stream = await client.chat.send({ chatRequest: { model, messages, stream: true } });
  let text = "";
  for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? "";
  assert.equal(text, "Hello from here");
  const { result: models } = await client.models.list();
  assert.ok(models.data.some((one) => one.id === model));
  const credits = await client.credits.getCredits();
  assert.equal(typeof credits.data.totalUsage, "number");
}

for (const check of [anthropic, vercelOpenai, vercelAnthropic, openrouter]) {
  await check();
  console.log("ok", check.name);
}
