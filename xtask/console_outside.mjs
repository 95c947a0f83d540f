// What lies outside of the server in journeys with money: a provider in OpenAI's dialect, and a payment processor with a page to pay on.
import { createHmac } from "node:crypto";
import { createServer } from "node:http";

function listen(port, answer) {
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (piece) => (body += piece));
    request.on("end", () => Promise.resolve(answer(request, body, response)).catch((error) => response.writeHead(500).end(String(error))));
  });
  return new Promise((done) => server.listen(port, "127.0.0.1", () => done(server)));
}

function say(response, status, body) {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

/** A provider that takes these keys and no other. What it was called with is in `calls`: the key of each. */
export async function provider(port, keys) {
  const calls = [];
  const server = await listen(port, (request, body, response) => {
    const key = (request.headers.authorization ?? "").replace("Bearer ", "");
    if (!keys.includes(key)) return say(response, 401, { error: { message: "no such key", type: "invalid_request_error" } });
    if (request.method === "GET") return say(response, 200, { object: "list", data: [] });
    calls.push(key);
    const asked = JSON.parse(body);
    const common = { id: "cmpl-1", created: 1, model: asked.model };
    const usage = { prompt_tokens: 1_000, completion_tokens: 500, total_tokens: 1_500 };
    const text = "A short answer.";
    if (!asked.stream) {
      const choices = [{ index: 0, message: { role: "assistant", content: text }, finish_reason: "stop" }];
      return say(response, 200, { ...common, object: "chat.completion", choices, usage });
    }
    const chunk = (more) => `data: ${JSON.stringify({ ...common, object: "chat.completion.chunk", choices: [], ...more })}\n\n`;
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(chunk({ choices: [{ index: 0, delta: { role: "assistant", content: text }, finish_reason: null }] }));
    response.write(chunk({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] }));
    response.end(`${chunk({ usage })}data: [DONE]\n\n`);
  });
  return { calls, close: () => close(server) };
}

function close(server) {
  server.close();
  server.closeAllConnections();
}

/** The event that says that a page was paid, signed as Stripe's documentation says: https://docs.stripe.com/webhooks#verify-manually. */
function paid(page, secret) {
  const at = Math.floor(Date.now() / 1_000);
  const { client_reference_id: order, id, total } = page;
  const object = {
    id, object: "checkout.session", client_reference_id: order, metadata: { order }, amount_total: total, currency: "usd",
    payment_status: "paid", payment_intent: `pi_${order}`, customer: null,
  };
  const body = JSON.stringify({ id: `evt_${order}`, object: "event", type: "checkout.session.completed", created: at, data: { object } });
  const signature = createHmac("sha256", secret).update(`${at}.${body}`).digest("hex");
  return { body, signature: `t=${at},v1=${signature}` };
}

/** A payment processor: it makes pages to pay on; whoever presses the button there has paid, the server at `base` is told so, and the browser
 * goes back to where the server wanted it. */
export async function processor(port, base, secret) {
  const pages = new Map();
  const server = await listen(port, async (request, body, response) => {
    const { pathname } = new URL(request.url, "http://x");
    if (request.method === "POST" && pathname === "/v1/checkout/sessions") {
      const form = Object.fromEntries(new URLSearchParams(body));
      const amounts = Object.entries(form).filter(([name]) => name.endsWith("[unit_amount]"));
      const total = amounts.reduce((sum, [, cents]) => sum + Number(cents), 0);
      const id = `cs_${form.client_reference_id}`;
      pages.set(id, { ...form, id, total });
      return say(response, 200, { id, url: `http://127.0.0.1:${port}/pay/${id}` });
    }
    const page = pages.get(pathname.split("/")[2]);
    if (!page) return say(response, 404, { error: { message: "no such path", code: "resource_missing" } });
    if (request.method === "GET") {
      response.writeHead(200, { "content-type": "text/html" });
      return response.end(`<!doctype html><html lang="en"><title>Pay</title><link rel="icon" href="data:,"><form method="post"><button>Pay $${page.total / 100}</button></form></html>`);
    }
    const { body: event, signature } = paid(page, secret);
    const headers = { "content-type": "application/json", "stripe-signature": signature };
    const told = await fetch(`${base}/v1/webhooks/stripe`, { method: "POST", headers, body: event });
    const { outcome } = await told.json();
    if (outcome !== "credited") throw new Error(`the webhook is answered ${told.status} ${outcome}`);
    response.writeHead(303, { location: page.success_url }).end();
  });
  return { origin: `http://127.0.0.1:${port}`, close: () => close(server) };
}
