// Makes what the console is looked at with: three organizations of one person, with much, little and nothing in them, over the API.
// Usage: node console_data.mjs BASE_URL TOKEN_FILE OUT_FILE [UPSTREAM_PORT]. The token that claims the server is somewhere in TOKEN_FILE (what
// the server printed). What pictures and checks need is written to OUT_FILE: the cookie of each organization, and ids to open.
// With UPSTREAM_PORT a provider answers there while the data are made: point providers of the catalog at it.
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";

const [base, tokenFile, outFile, upstreamPort] = process.argv.slice(2);
const EMAIL = "ada@example.com";
const PASSWORD = "plum kettle orbit sandal";
/** Calls of the organization with much in it. */
const CALLS = Number(process.env.TOLLWAY_CONSOLE_CALLS ?? 600);
/** Calls under way at once. */
const AT_ONCE = 8;

/** The same numbers every time (mulberry32). */
let state = 7;
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const pick = (all) => all[Math.floor(random() * all.length)];

async function call(method, path, { token, body, headers = {}, statuses = [200, 201] } = {}) {
  const answer = await fetch(base + path, {
    method,
    headers: { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  if (!statuses.includes(answer.status)) throw new Error(`${method} ${path}: ${answer.status} ${text.slice(0, 300)}`);
  return { headers: answer.headers, json: text.startsWith("{") ? JSON.parse(text) : null };
}

/** A provider in OpenAI's dialect that answers as many tokens as it likes. */
function upstream(port) {
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (piece) => (body += piece));
    request.on("end", () => {
      const asked = JSON.parse(body || "{}");
      const input = 200 + Math.floor(random() * 4_000);
      const output = 20 + Math.floor(random() * 600);
      const cached = random() < 0.4 ? Math.floor(input * random()) : 0;
      if (random() < 0.05) {
        response.writeHead(pick([429, 500, 503]), { "content-type": "application/json" });
        return response.end('{"error":{"message":"try again","type":"server_error"}}');
      }
      const usage = { prompt_tokens: input, completion_tokens: output, total_tokens: input + output, prompt_tokens_details: { cached_tokens: cached } };
      const common = { id: "cmpl-1", created: 1, model: asked.model };
      if (!asked.stream) {
        response.writeHead(200, { "content-type": "application/json" });
        const message = { role: "assistant", content: "A short answer." };
        return response.end(JSON.stringify({ ...common, object: "chat.completion", choices: [{ index: 0, message, finish_reason: "stop" }], usage }));
      }
      response.writeHead(200, { "content-type": "text/event-stream" });
      const chunk = (delta, finish_reason, more = {}) =>
        `data: ${JSON.stringify({ ...common, object: "chat.completion.chunk", choices: delta ? [{ index: 0, delta, finish_reason }] : [], ...more })}\n\n`;
      setTimeout(() => {
        response.write(chunk({ role: "assistant", content: "A short " }, null));
        response.write(chunk({ content: "answer." }, "stop"));
        response.end(`${chunk(null, null, { usage })}data: [DONE]\n\n`);
      }, 5 + random() * 60);
    });
  });
  return new Promise((done) => server.listen(port, "127.0.0.1", () => done(server)));
}

/** A session that works in a new organization, and the cookie that a browser has for it. */
async function organization(name) {
  const signed = await call("POST", "/v1/auth/sign-in", { body: { email: EMAIL, password: PASSWORD } });
  const token = signed.json.data.token;
  const made = await call("POST", "/v1/organizations", { token, body: { name } });
  await call("PUT", "/v1/auth/organization", { token, body: { organization: made.json.data.id } });
  const cookie = signed.headers.getSetCookie()[0].split(";")[0];
  return { token, cookie, id: made.json.data.id };
}

async function key(session, body) {
  const made = (await call("POST", "/v1/keys", { token: session.token, body })).json;
  return { text: made.key, hash: made.data.hash, id: made.data.id };
}

const SANDBOX = ["sandbox/echo", "sandbox/echo", "sandbox/reasoning", "sandbox/json", "sandbox/tools", "sandbox/flaky", "sandbox/fail"];
const REAL = ["mistralai/mistral-small-2603", "mistralai/mistral-small-2603", "mistralai/devstral-2512", "openai/gpt-oss-120b", "tollway/auto", "tollway/cheap"];
const APPS = ["Support desk", "Code review", "<b>Bold</b> app", "Night report"];

/** One call, as a client would make it; whatever comes of it is a line in the log. */
async function generate(text, n) {
  const models = upstreamPort ? [...REAL, ...REAL, ...SANDBOX] : SANDBOX;
  const model = pick(models);
  const body = {
    model,
    messages: [{ role: "user", content: pick(["Say hello.", "Write a function that adds two numbers.", "Summarize: the ship left at noon."]) }],
    stream: random() < 0.6,
    max_tokens: 200,
    user: pick(["alice", "bob", "carol", "<script>alert(1)</script>", "customer-4711"]),
  };
  if (model.startsWith("sandbox/")) body.sandbox = { output_tokens: 5 + Math.floor(random() * 80), delay_ms: Math.floor(random() * 20) };
  const headers = { authorization: `Bearer ${text}`, "content-type": "application/json", "x-title": pick(APPS) };
  if (random() < 0.3) headers["x-session-id"] = `session-${n % 12}`;
  if (random() < 0.2) body.trace = { trace_id: `ticket-${n % 9}` };
  headers["x-tollway-meta-team"] = pick(["search", "billing"]);
  const answer = await fetch(`${base}/v1/chat/completions`, { method: "POST", headers, body: JSON.stringify(body) });
  await answer.text();
  return { id: answer.headers.get("x-generation-id"), status: answer.status, model, session: headers["x-session-id"], trace: body.trace?.trace_id };
}

async function much(session) {
  const keys = [
    await key(session, { name: "Web app", tags: ["production", "web"], project: "storefront", limit: 50 }),
    await key(session, { name: "Night batch", tags: ["production", "batch"], project: "reports" }),
    await key(session, { name: "CI", tags: ["test"], limit: 5, limit_reset: "daily" }),
    await key(session, { name: "Ada's laptop" }),
    await key(session, { name: '<img src=x onerror="alert(1)">', tags: ["<i>odd</i>"] }),
    await key(session, { name: "A key with a name so long that it does not fit into one line of any table that is narrow" }),
  ];
  await call("PUT", "/v1/account/privacy", { token: session.token, body: { keep_days: 30 } }).catch(() => null);
  await call("PATCH", `/v1/keys/${keys[0].hash}`, { token: session.token, body: { logging: true } });
  const made = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < CALLS) {
        next += 1;
        made.push(await generate(pick([keys[0], keys[0], keys[0], keys[1], keys[1], ...keys]).text, next));
      }
    }),
  );
  await call("POST", "/v1/keys", { token: session.token, body: { name: "Ops", management: true, role: "developer" } });
  await call("PATCH", `/v1/keys/${keys[2].hash}`, { token: session.token, body: { disabled: true } });
  await call("PATCH", `/v1/keys/key_nobody`, { token: session.token, body: { name: "gone" }, statuses: [404] });
  await alerted(session);
  const rules = await ruled(session, keys);
  const good = made.filter((one) => one.status === 200 && one.id);
  const chosen = good.find((one) => one.model === "tollway/auto") ?? good[0];
  await call("POST", "/v1/feedback", { token: session.token, body: { id: good[0].id, rating: "up", comment: "just <b>right</b>" } });
  return {
    key: keys[0].hash,
    text: keys[0].text,
    key_id: keys[0].id,
    generation: chosen.id,
    failed: made.find((one) => one.status !== 200 && one.id)?.id ?? good[0].id,
    session: made.find((one) => one.session).session,
    trace: made.find((one) => one.trace).trace,
    ...rules,
  };
}

/** A key that spends all of its limit, and of a budget, of which its owner is told. */
async function alerted(session) {
  const spender = await key(session, { name: "Load test", limit: 0.0001 });
  const body = { name: "Load tests", subject: `key:${spender.id}`, amount_usd: "0.00005", period: "total", hard: false };
  await call("POST", "/v1/budgets", { token: session.token, body });
  for (let n = 0; n < 12; n += 1) await generateEcho(spender.text);
}

/** A call of the sandbox that costs a little; it may be refused. */
async function generateEcho(text) {
  const body = { model: "sandbox/echo", messages: [{ role: "user", content: "Say hello." }], sandbox: { output_tokens: 60 } };
  const headers = { authorization: `Bearer ${text}`, "content-type": "application/json" };
  await (await fetch(`${base}/v1/chat/completions`, { method: "POST", headers, body: JSON.stringify(body) })).text();
}

/** People, and everything that is ruled: something of each kind, with names that are long, odd or hostile among them. */
async function ruled(session, keys) {
  const { token } = session;
  const make = async (method, path, body) => (await call(method, path, { token, body })).json?.data ?? {};
  for (const [slug, name] of [["storefront", "Storefront"], ["reports", "Reports of every night, for everybody who reads them"], ["old", "<b>Old</b> shop"]]) {
    await make("PUT", `/v1/organization/projects/${slug}`, { name });
  }
  await make("PUT", "/v1/organization/projects/old", { archived: true });
  const robot = await make("POST", "/v1/organization/service-accounts", { name: "nightly import", role: "developer" });
  await make("POST", "/v1/organization/service-accounts", { name: "<i>ci</i>", role: "viewer" });
  for (const [email, role] of [["grace@example.com", "admin"], ["a.very.long.name.of.somebody@subsidiary.of.example.com", "billing"]]) {
    await make("POST", "/v1/organization/invitations", { email, role });
  }
  const budgets = [
    { name: "Everything", subject: "account", amount_usd: "20", period: "month" },
    { subject: "project:storefront", amount_usd: "0.05", period: "day", hard: false, thresholds: [25, 50, 75, 100] },
    { subject: `key:${keys[1].id}`, amount_usd: "10000", period: "total" },
    { name: "<u>Team</u> search", subject: "tag:team=search", amount_usd: "1.5", period: "week" },
    { subject: `member:${robot.id}`, amount_usd: "3", period: "month" },
    { subject: "user:*", amount_usd: "0.5", period: "day" },
  ];
  const [budget] = await Promise.all(budgets.map((body) => make("POST", "/v1/budgets", body)));
  for (const kinds of [[], ["budget.threshold", "key.frozen"]]) {
    await make("POST", "/v1/webhooks", { url: `https://127.0.0.1:9443/hooks/${kinds.length}/of-a-path-that-does-not-end-soon/tollway`, kinds });
  }
  const config = { model: "sandbox/echo", temperature: 0.2, max_tokens: 300 };
  await make("POST", "/v1/presets", { slug: "support", name: "Support", description: "Answers customers, briefly and kindly.", config });
  await make("PUT", "/v1/presets/support", { system_prompt: "You answer customers. Be brief.", config });
  await make("POST", "/v1/presets", { slug: "old-summaries", name: "<b>Summaries</b>", config, status: "disabled" });
  await make("POST", "/v1/policies", { name: "careful", description: "Code goes to Devstral, the rest where it is cheap.", rules: [{ name: "code", when: { task: ["code"] }, models: ["mistralai/devstral-2512"] }], models: ["tollway/cheap"] });
  await make("PUT", "/v1/policies/careful", { strategy: "fallback", models: [{ model: "mistralai/devstral-2512", retries: 1 }, "tollway/cheap"] });
  await make("POST", "/v1/policies", { name: "even", strategy: "balance", models: [{ model: "mistralai/mistral-small-2603", weight: 90 }, { model: "openai/gpt-oss-120b", weight: 10 }] });
  await make("PUT", "/v1/guardrails", {
    kinds: { email: "flag", secrets: "block", prompt_injection: { action: "flag", scope: "user_only" } },
    patterns: [{ name: "employee", pattern: "EMP-\\d{6}", action: "mask", direction: "input" }],
    allow: ["@example.com"],
  });
  await make("PUT", "/v1/approved-models", { models: ["mistralai/*", "openai/gpt-oss-120b", "sandbox/*"], no_training: false });
  await make("POST", "/v1/access-lists", { name: "coding", description: "What writes code.", models: ["mistralai/devstral*"] });
  await make("POST", "/v1/groups", { name: "engineers", description: "Who builds the shop.", members: [robot.id], access_lists: ["coding"] });
  await make("PUT", "/v1/account/billing", { name: "Night Owls GmbH", address: ["Main Street 1", "10115 Berlin"], country: "DE", tax_id: "DE123456789" });
  const own = upstreamPort ? await make("POST", "/v1/byok?force=true", { provider: "mistral", key: "sk-mine-aaaaaaaaaaaaaaaa", name: "team" }) : {};
  return { budget: budget.id, provider_key: own.id };
}

async function little(session) {
  const one = await key(session, { name: "First key" });
  const made = [];
  for (let n = 0; n < 3; n += 1) {
    const body = { model: "sandbox/echo", messages: [{ role: "user", content: "Say hello." }] };
    const answer = await fetch(`${base}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${one.text}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    await answer.text();
    made.push(answer.headers.get("x-generation-id"));
  }
  return { key: one.hash, key_id: one.id, generation: made[0] };
}

const token = /mt_[A-Za-z0-9_-]+/.exec(readFileSync(tokenFile, "utf8"))?.[0];
if (!token) throw new Error(`no token that claims the server in ${tokenFile}`);
const server = upstreamPort ? await upstream(Number(upstreamPort)) : null;
await call("POST", "/v1/auth/accept", { body: { token, email: EMAIL, password: PASSWORD, name: "Ada" } });
const out = { email: EMAIL, password: PASSWORD };
const places = { much: ["Night Owls", much], little: ["Two Friends", little], none: ["Fresh Start", async () => ({})] };
for (const [place, [name, fill]] of Object.entries(places)) {
  const session = await organization(name);
  out[place] = { ...session, ids: await fill(session) };
}
// The last records are in the log within a second.
for (const place of ["much", "little"]) {
  const { generation } = out[place].ids;
  for (let tries = 0; ; tries += 1) {
    const { json } = await call("GET", `/v1/generation?id=${generation}`, { token: out[place].token, statuses: [200, 404] });
    if (json.data) break;
    if (tries > 100) throw new Error(`${generation} is not in the log`);
    await new Promise((done) => setTimeout(done, 100));
  }
}
writeFileSync(outFile, JSON.stringify(out, null, 2));
server?.close();
server?.closeAllConnections();
console.log(`much, little and none are made: ${outFile}`);
