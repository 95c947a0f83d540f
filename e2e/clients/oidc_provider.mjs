// A real issuer of identities, `oidc-provider`, for the tests: NODE_DIR (whose node_modules holds it), PORT, REDIRECT_URIS (with commas,
// one per client) in. Each client signs with another algorithm. Whoever signs in as NAME is NAME with the address NAME@example.com, which
// is proven unless NAME begins with "unproven".

import { join } from "node:path";
import { pathToFileURL } from "node:url";

const load = (path) => import(pathToFileURL(join(process.env.NODE_DIR, "node_modules", path)).href);
const { Provider } = await load("oidc-provider/lib/index.js");
const { exportJWK, generateKeyPair } = await load("jose/dist/webapi/index.js");

const key = async (alg, options) => ({
  ...(await exportJWK((await generateKeyPair(alg, { extractable: true, ...options })).privateKey)),
  alg,
  use: "sig",
  kid: alg,
});
const algorithms = ["RS256", "PS256", "ES256", "EdDSA"];
const keys = [await key("RS256"), await key("PS256"), await key("ES256"), await key("EdDSA")];
const client = (redirect_uri, n) => ({
  client_id: `client-${n}`,
  client_secret: "a secret: 100% + more",
  redirect_uris: [redirect_uri],
  id_token_signed_response_alg: algorithms[n],
  // The last one proves itself with PKCE alone.
  ...(n === 3 && { token_endpoint_auth_method: "none", client_secret: undefined }),
});

const provider = new Provider(`http://127.0.0.1:${process.env.PORT}`, {
  clients: process.env.REDIRECT_URIS.split(",").map(client),
  jwks: { keys },
  cookies: { keys: ["for the tests"] },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  enabledJWA: { idTokenSigningAlgValues: algorithms },
  pkce: { required: () => true },
  features: { devInteractions: { enabled: true } },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      name: `The one called ${id}`,
      email: `${id}@example.com`,
      email_verified: !id.startsWith("unproven"),
    }),
  }),
});
provider.on("server_error", (_, error) => console.error(error));
provider.on("grant.error", (_, error) => console.error(error));
provider.listen(Number(process.env.PORT), "127.0.0.1", () => console.log("listening"));
