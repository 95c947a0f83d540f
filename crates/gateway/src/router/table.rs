//! The flat list of routes of the data plane: method, path, who may call it, what it is.

use types::Right;
use wire::hub::Dialect;

use super::{Handler as H, Route};
use crate::access::At as Reach;
use crate::auth::Access;
use crate::auth::routes::At as Auth;
use crate::budgets::Op as Budgets;
use crate::byok::edit::Op as Keep;
use crate::insight::At as Look;
use crate::keys::api::Op as Keys;
use crate::organization::routes::At as Org;
use crate::payments::routes::At as Pay;
use crate::provider_keys::Op as Entered;
use crate::ratings::At as Opinion;
use crate::rules::edit::Op;
use crate::server::At as Server;
use crate::webhooks::Op as Webhooks;

const PUBLIC: Access = Access::Public;
const API_KEY: Access = Access::ApiKey;
const ANY_KEY: Access = Access::AnyKey;
const SESSION: Access = Access::Session;
const OPERATOR: Access = Access::Operator;
const DECIDE: Access = Access::Decide(Right::Build);
const READ: Access = Access::Manage(Right::Read);
const BUILD: Access = Access::Manage(Right::Build);
const PAY: Access = Access::Manage(Right::Pay);
const GOVERN: Access = Access::Manage(Right::Govern);
const OWN: Access = Access::Manage(Right::Own);

const fn get(path: &'static str, access: Access, handler: H, about: &'static str) -> Route {
    Route { method: "GET", path, access, about, handler }
}

const fn post(path: &'static str, access: Access, handler: H, about: &'static str) -> Route {
    Route { method: "POST", path, access, about, handler }
}

const fn put(path: &'static str, access: Access, handler: H, about: &'static str) -> Route {
    Route { method: "PUT", path, access, about, handler }
}

const fn patch(path: &'static str, access: Access, handler: H, about: &'static str) -> Route {
    Route { method: "PATCH", path, access, about, handler }
}

const fn delete(path: &'static str, access: Access, handler: H, about: &'static str) -> Route {
    Route { method: "DELETE", path, access, about, handler }
}

/// Every route of the data plane. Those under `/v1` are served under `/api/v1` too.
pub const ROUTES: &[Route] = &[
    post("/v1/chat/completions", API_KEY, H::Chat, "OpenAI Chat Completions, streamed and not"),
    post("/v1/completions", API_KEY, H::Completions, "OpenAI's older text completions"),
    post("/v1/responses", API_KEY, H::Responses, "OpenAI Responses, stateful, for any model"),
    get("/v1/responses/{id}", API_KEY, H::Response, "a kept response"),
    delete("/v1/responses/{id}", API_KEY, H::ResponseDelete, "forget a kept response"),
    get("/v1/responses/{id}/input_items", API_KEY, H::ResponseInput, "the input items of a kept response"),
    post("/v1/messages", API_KEY, H::Messages, "Anthropic Messages, for any model"),
    post(
        "/v1/messages/count_tokens",
        API_KEY,
        H::CountTokens,
        "how many input tokens a Messages request has",
    ),
    post(
        "/v1beta/models/{model}",
        API_KEY,
        H::Gemini,
        "Gemini: `{model}:generateContent`, `:streamGenerateContent`, `:countTokens`, for any model",
    ),
    post("/v1beta/models/{author}/{model}", API_KEY, H::Gemini, "the same for ids with their author"),
    post("/v1/models/{model}", API_KEY, H::Gemini, "Gemini, as its newer clients call it"),
    post("/v1/models/{author}/{model}", API_KEY, H::Gemini, "the same for ids with their author"),
    post("/v1/embeddings", API_KEY, H::Embeddings, "vectors of texts, in OpenAI's shape"),
    post("/v1/rerank", API_KEY, H::Rerank, "documents by relevance, in Cohere's shape"),
    post(
        "/v1/images/generations",
        API_KEY,
        H::Images,
        "images from a text, streamed and not, in OpenAI's shape",
    ),
    post("/v1/audio/speech", API_KEY, H::Speech, "speech from a text, in OpenAI's shape"),
    post("/v1/audio/transcriptions", API_KEY, H::Transcriptions, "text from speech, as a form or in JSON"),
    get("/v1beta/models", PUBLIC, H::GeminiModels, "the catalog in Gemini's shape"),
    get("/v1/models", PUBLIC, H::Models, "the catalog in OpenRouter's and OpenAI's shape"),
    get("/v1/models/count", PUBLIC, H::ModelsCount, "how many models"),
    get("/v1/models/{author}/{slug}", PUBLIC, H::Model, "one model"),
    get("/v1/model/{author}/{slug}", PUBLIC, H::Model, "one model, OpenRouter's other path"),
    get("/v1/models/{author}/{slug}/endpoints", PUBLIC, H::Endpoints, "its offers"),
    get(
        "/v1/models/{author}/{slug}/ratings",
        PUBLIC,
        H::Ratings(Opinion::Show),
        "what people here think of a model",
    ),
    put(
        "/v1/models/{author}/{slug}/ratings",
        SESSION,
        H::Ratings(Opinion::Put),
        "rate a model, or edit one's rating",
    ),
    delete(
        "/v1/models/{author}/{slug}/ratings",
        SESSION,
        H::Ratings(Opinion::Delete),
        "take one's rating back",
    ),
    post("/v1/ratings/{id}/report", SESSION, H::Ratings(Opinion::Report), "say that a rating is improper"),
    get("/v1/moderation", OPERATOR, H::Ratings(Opinion::Queue), "ratings that were reported, or are hidden"),
    post("/v1/moderation/{id}", OPERATOR, H::Ratings(Opinion::Decide), "decide what becomes of one"),
    get("/v1/providers", PUBLIC, H::Providers, "who serves models"),
    post(
        "/v1/route",
        DECIDE,
        H::Route,
        "the plan for a chat request, with reasons and cost bounds; nothing is called, nothing charged",
    ),
    get("/v1/key", ANY_KEY, H::Key, "the caller's own key"),
    get("/v1/auth/key", ANY_KEY, H::Key, "the caller's own key, the older path"),
    get("/v1/keys", READ, H::Keys(Keys::List), "the account's keys, without their text"),
    post("/v1/keys", BUILD, H::Keys(Keys::Create), "a new key"),
    get("/v1/keys/{hash}", READ, H::Keys(Keys::Show), "one key"),
    patch("/v1/keys/{hash}", BUILD, H::Keys(Keys::Edit), "edit a key"),
    delete("/v1/keys/{hash}", BUILD, H::Keys(Keys::Delete), "revoke a key for good"),
    post(
        "/v1/keys/{hash}/rotate",
        BUILD,
        H::Keys(Keys::Rotate),
        "give a key another text; the old one is taken for a while",
    ),
    get("/v1/budgets", READ, H::Budgets(Budgets::List), "the account's budgets and what is left of them"),
    post("/v1/budgets", GOVERN, H::Budgets(Budgets::Create), "a new budget"),
    get("/v1/budgets/{id}", READ, H::Budgets(Budgets::One), "one budget and what is left of it"),
    patch("/v1/budgets/{id}", GOVERN, H::Budgets(Budgets::Edit), "edit a budget"),
    delete("/v1/budgets/{id}", GOVERN, H::Budgets(Budgets::Delete), "take a budget away"),
    get("/v1/webhooks", READ, H::Webhooks(Webhooks::List), "where the owner is told of things"),
    post("/v1/webhooks", GOVERN, H::Webhooks(Webhooks::Create), "a new webhook"),
    delete("/v1/webhooks/{id}", GOVERN, H::Webhooks(Webhooks::Delete), "take a webhook away"),
    get("/v1/alerts", READ, H::Webhooks(Webhooks::Alerts), "what the owner was told of, newest first"),
    post(
        "/v1/replay",
        BUILD,
        H::Replay,
        "what the account's recorded requests would have met under another policy or other models",
    ),
    get(
        "/.well-known/tollway-receipts.json",
        PUBLIC,
        H::ReceiptKeys,
        "the public keys that receipts can be checked with",
    ),
    get("/v1/byok", READ, H::Byok(Keep::List), "the account's provider keys"),
    post("/v1/byok", GOVERN, H::Byok(Keep::Create), "bring a provider key along"),
    get(
        "/v1/byok/strategy",
        READ,
        H::ByokWishes { strategy: true, edits: false },
        "whose key goes first, by provider and model",
    ),
    put(
        "/v1/byok/strategy",
        GOVERN,
        H::ByokWishes { strategy: true, edits: true },
        "say whose key goes first",
    ),
    get(
        "/v1/byok/settings",
        READ,
        H::ByokWishes { strategy: false, edits: false },
        "what happens when the balance for fees is empty",
    ),
    put(
        "/v1/byok/settings",
        GOVERN,
        H::ByokWishes { strategy: false, edits: true },
        "say what happens when the balance for fees is empty",
    ),
    post("/v1/byok/balance", PAY, H::ByokBalance, "move credits to the balance for fees"),
    get("/v1/byok/{id}", READ, H::Byok(Keep::Show), "one provider key"),
    patch("/v1/byok/{id}", GOVERN, H::Byok(Keep::Edit), "edit a provider key"),
    delete("/v1/byok/{id}", GOVERN, H::Byok(Keep::Delete), "remove a provider key"),
    get(
        "/v1/server/provider-keys",
        OPERATOR,
        H::ProviderKeys(Entered::List),
        "provider keys that were entered for the whole server",
    ),
    put(
        "/v1/server/provider-keys/{provider}",
        OPERATOR,
        H::ProviderKeys(Entered::Put),
        "enter a provider's key for the whole server",
    ),
    delete("/v1/server/provider-keys/{provider}", OPERATOR, H::ProviderKeys(Entered::Delete), "take it away"),
    get("/v1/fees", PUBLIC, H::Payments(Pay::Fees), "what is charged beside prices"),
    post("/v1/credits/checkout", PAY, H::Payments(Pay::Checkout), "a page of Stripe's to pay credit on"),
    get("/v1/credits/orders", PAY, H::Payments(Pay::Orders), "the account's payments"),
    get("/v1/credits/orders/{id}", PAY, H::Payments(Pay::Order), "one payment"),
    get("/v1/credits/auto-top-up", PAY, H::Payments(Pay::Auto), "the rules of automatic top-ups"),
    put("/v1/credits/auto-top-up", PAY, H::Payments(Pay::AutoPut), "write them"),
    post("/v1/credits/redeem", PAY, H::Payments(Pay::Redeem), "a voucher becomes credit"),
    get(
        "/v1/credits/statement",
        PAY,
        H::Payments(Pay::Statement),
        "every movement of the balance, also as CSV",
    ),
    get("/v1/invoices", PAY, H::Payments(Pay::Invoices), "invoices and credit notes"),
    get(
        "/v1/invoices/{id}",
        PAY,
        H::Payments(Pay::Invoice),
        "one of them; with `.html` behind its id for print",
    ),
    get("/v1/account/billing", PAY, H::Payments(Pay::Billing), "what invoices say of the account"),
    put("/v1/account/billing", PAY, H::Payments(Pay::BillingPut), "write it"),
    // Its own signature proves who calls; there is no such path without a secret.
    post("/v1/webhooks/stripe", PUBLIC, H::Payments(Pay::Stripe), "Stripe's events"),
    get("/v1/credits", ANY_KEY, H::Credits, "the caller's balance"),
    post("/v1/feedback", ANY_KEY, H::Feedback, "what a caller thinks of an answer; keys merge"),
    post("/v1/generation/feedback", ANY_KEY, H::Feedback, "the same, under OpenRouter's name"),
    get("/v1/generation", ANY_KEY, H::Generation, "the record of one generation"),
    get("/v1/generation/plan", ANY_KEY, H::GenerationPlan, "why a generation went where it went"),
    get("/v1/activity", ANY_KEY, H::Activity, "use by hour, day or month, model, provider and key"),
    post(
        "/v1/analytics/query",
        ANY_KEY,
        H::Insight(Look::Query),
        "any metrics by any of what use is told apart by",
    ),
    get(
        "/v1/analytics/query",
        ANY_KEY,
        H::Insight(Look::Link),
        "the same as an address that can be a link; also as CSV",
    ),
    get(
        "/v1/manage/apikey/{id}/usage",
        ANY_KEY,
        H::Insight(Look::KeyUsage),
        "use of one key, in Requesty's shape",
    ),
    get(
        "/v1/manage/org/usage",
        READ,
        H::Insight(Look::AccountUsage),
        "use of the account, in Requesty's shape",
    ),
    get(
        "/v1/generations",
        ANY_KEY,
        H::Insight(Look::Log),
        "generations by what is known of them, newest first",
    ),
    get("/v1/traces/{id}", ANY_KEY, H::Insight(Look::Trace), "the calls of one trace and what they come to"),
    get("/v1/generation/content", ANY_KEY, H::Content, "prompt and answer of a call, where they are kept"),
    get("/v1/account/privacy", READ, H::Privacy { edits: false }, "what may be kept of prompts and answers"),
    put(
        "/v1/account/privacy",
        GOVERN,
        H::Privacy { edits: true },
        "say what may be kept of prompts and answers",
    ),
    get(
        "/v1/exports/generations",
        ANY_KEY,
        H::Insight(Look::Export),
        "generations as CSV, lines of JSON or FOCUS",
    ),
    get("/v1/policies", ANY_KEY, H::Policies(Op::List), "the account's routing policies"),
    post("/v1/policies", BUILD, H::Policies(Op::Create), "a new policy"),
    get("/v1/policies/{name}", ANY_KEY, H::Policies(Op::Show), "one policy"),
    put("/v1/policies/{name}", BUILD, H::Policies(Op::Put), "write a policy"),
    delete("/v1/policies/{name}", BUILD, H::Policies(Op::Delete), "take a policy away"),
    get("/v1/policies/{name}/versions", ANY_KEY, H::Policies(Op::Versions), "every version of a policy"),
    get("/v1/access", ANY_KEY, H::Access(Reach::Mine), "what a key may call, and why"),
    get(
        "/v1/approved-models",
        ANY_KEY,
        H::Access(Reach::Approved(Op::Show)),
        "what the organization approves",
    ),
    put(
        "/v1/approved-models",
        GOVERN,
        H::Access(Reach::Approved(Op::Put)),
        "write it, and approve new releases",
    ),
    delete("/v1/approved-models", GOVERN, H::Access(Reach::Approved(Op::Delete)), "approve everything"),
    get(
        "/v1/approved-models/versions",
        READ,
        H::Access(Reach::Approved(Op::Versions)),
        "every version of it",
    ),
    get("/v1/access-lists", READ, H::Access(Reach::Lists(Op::List)), "models under a name"),
    post("/v1/access-lists", GOVERN, H::Access(Reach::Lists(Op::Create)), "a new access list"),
    get("/v1/access-lists/{name}", READ, H::Access(Reach::Lists(Op::Show)), "one access list"),
    put("/v1/access-lists/{name}", GOVERN, H::Access(Reach::Lists(Op::Put)), "write an access list"),
    delete("/v1/access-lists/{name}", GOVERN, H::Access(Reach::Lists(Op::Delete)), "take one away"),
    get("/v1/access-lists/{name}/versions", READ, H::Access(Reach::Lists(Op::Versions)), "its versions"),
    get("/v1/groups", READ, H::Access(Reach::Groups(Op::List)), "holders of keys with the same lists"),
    post("/v1/groups", GOVERN, H::Access(Reach::Groups(Op::Create)), "a new group"),
    get("/v1/groups/{name}", READ, H::Access(Reach::Groups(Op::Show)), "one group"),
    put("/v1/groups/{name}", GOVERN, H::Access(Reach::Groups(Op::Put)), "write a group"),
    delete("/v1/groups/{name}", GOVERN, H::Access(Reach::Groups(Op::Delete)), "take a group away"),
    get("/v1/groups/{name}/versions", READ, H::Access(Reach::Groups(Op::Versions)), "its versions"),
    get("/v1/guardrails", ANY_KEY, H::Guardrails(Op::Show), "the account's guardrails"),
    get("/v1/guardrails/versions", READ, H::Guardrails(Op::Versions), "every version of them"),
    put("/v1/guardrails", GOVERN, H::Guardrails(Op::Put), "write them"),
    delete("/v1/guardrails", GOVERN, H::Guardrails(Op::Delete), "take them away"),
    get("/v1/presets", ANY_KEY, H::Presets(Op::List), "the account's presets"),
    post("/v1/presets", BUILD, H::Presets(Op::Create), "a new preset"),
    get("/v1/presets/{slug}", ANY_KEY, H::Presets(Op::Show), "one preset"),
    put("/v1/presets/{slug}", BUILD, H::Presets(Op::Put), "write a preset"),
    delete("/v1/presets/{slug}", BUILD, H::Presets(Op::Delete), "take a preset away"),
    get("/v1/presets/{slug}/versions", ANY_KEY, H::Presets(Op::Versions), "every version of a preset"),
    post(
        "/v1/presets/{slug}/chat/completions",
        BUILD,
        H::PresetFrom(Dialect::Chat),
        "a preset out of a chat request",
    ),
    post(
        "/v1/presets/{slug}/messages",
        BUILD,
        H::PresetFrom(Dialect::Messages),
        "a preset out of a Messages request",
    ),
    post(
        "/v1/presets/{slug}/responses",
        BUILD,
        H::PresetFrom(Dialect::Responses),
        "a preset out of a Responses request",
    ),
    post(
        "/v1/auth/sign-up",
        PUBLIC,
        H::Auth(Auth::SignUp),
        "ask to come in; what proves the address is mailed",
    ),
    post("/v1/auth/verify", PUBLIC, H::Auth(Auth::Verify), "come in with what was mailed"),
    post("/v1/auth/accept", PUBLIC, H::Auth(Auth::Accept), "come in by invitation, or claim the server"),
    post("/v1/auth/sign-in", PUBLIC, H::Auth(Auth::SignIn), "a session for address and password"),
    post("/v1/auth/reset", PUBLIC, H::Auth(Auth::Reset), "have a token for another password mailed"),
    post("/v1/auth/reset/confirm", PUBLIC, H::Auth(Auth::Confirm), "choose another password with it"),
    post("/v1/auth/sign-out", SESSION, H::Auth(Auth::SignOut), "end this session"),
    get("/v1/auth/me", SESSION, H::Auth(Auth::Me), "who is signed in"),
    post("/v1/auth/password", SESSION, H::Auth(Auth::Password), "another password; other sessions end"),
    get("/v1/auth/sessions", SESSION, H::Auth(Auth::Sessions), "one's own sessions"),
    delete("/v1/auth/sessions", SESSION, H::Auth(Auth::EndAll), "end all of them"),
    delete("/v1/auth/sessions/{id}", SESSION, H::Auth(Auth::End), "end one of them"),
    get("/auth", PUBLIC, H::Auth(Auth::Consent), "the page on which a person lets an app have a key (PKCE)"),
    post("/auth", PUBLIC, H::Auth(Auth::Answer), "what the person answered"),
    post("/v1/auth/keys", PUBLIC, H::Auth(Auth::AppKey), "an app's code becomes a key"),
    post("/v1/auth/keys/code", BUILD, H::Auth(Auth::AppCode), "a code for an app, made over the API"),
    get("/v1/auth/methods", PUBLIC, H::Auth(Auth::Methods), "how people sign in here"),
    get("/v1/auth/oidc/{issuer}", PUBLIC, H::Auth(Auth::OidcBegin), "sign in with an identity elsewhere"),
    get(
        "/v1/auth/oidc/{issuer}/callback",
        PUBLIC,
        H::Auth(Auth::OidcBack),
        "where the issuer sends the browser back to",
    ),
    post(
        "/v1/auth/oidc/{issuer}/callback",
        PUBLIC,
        H::Auth(Auth::OidcCode),
        "the code of a second factor, for who has one",
    ),
    get("/v1/auth/identities", SESSION, H::Auth(Auth::Identities), "one's own identities elsewhere"),
    post("/v1/auth/identities", SESSION, H::Auth(Auth::Link), "link another one"),
    delete("/v1/auth/identities/{id}", SESSION, H::Auth(Auth::Unlink), "take one away"),
    get("/v1/auth/totp", SESSION, H::Auth(Auth::Totp), "whether a second factor is in force"),
    post("/v1/auth/totp", SESSION, H::Auth(Auth::TotpBegin), "a secret for an authenticator app"),
    post("/v1/auth/totp/confirm", SESSION, H::Auth(Auth::TotpConfirm), "put it in force"),
    post("/v1/auth/totp/recovery-codes", SESSION, H::Auth(Auth::TotpRenew), "other recovery codes"),
    delete("/v1/auth/totp", SESSION, H::Auth(Auth::TotpEnd), "end the second factor"),
    get("/v1/auth/me/export", SESSION, H::Auth(Auth::Export), "everything that is kept of oneself"),
    patch("/v1/auth/me", SESSION, H::Auth(Auth::Rename), "another name for oneself"),
    delete("/v1/auth/me", SESSION, H::Auth(Auth::Erase), "erase oneself; the books stay, without a name"),
    put("/v1/auth/organization", SESSION, H::Organization(Org::Choose), "the organization to work in"),
    get("/v1/organizations", SESSION, H::Organization(Org::List), "those that one belongs to"),
    post("/v1/organizations", SESSION, H::Organization(Org::Create), "a new organization"),
    get("/v1/organization", READ, H::Organization(Org::Show), "the organization that the caller works in"),
    patch("/v1/organization", OWN, H::Organization(Org::Rename), "give it another name"),
    delete("/v1/organization", OWN, H::Organization(Org::End), "end it; its books stay"),
    get("/v1/organization/export", OWN, H::Organization(Org::Export), "everything that is kept of it"),
    post("/v1/organization/leave", SESSION, H::Organization(Org::Leave), "leave it"),
    get("/v1/organization/members", READ, H::Organization(Org::Members), "who belongs to it, as what"),
    patch(
        "/v1/organization/members/{user}",
        GOVERN,
        H::Organization(Org::SetRole),
        "give a member another role",
    ),
    delete(
        "/v1/organization/members/{user}",
        GOVERN,
        H::Organization(Org::Remove),
        "end a membership, and the keys that go with it",
    ),
    get("/v1/organization/invitations", GOVERN, H::Organization(Org::Invitations), "who is asked in"),
    post("/v1/organization/invitations", GOVERN, H::Organization(Org::Invite), "ask somebody in by mail"),
    delete(
        "/v1/organization/invitations/{id}",
        GOVERN,
        H::Organization(Org::Uninvite),
        "take an invitation back",
    ),
    get(
        "/v1/organization/service-accounts",
        READ,
        H::Organization(Org::ServiceAccounts),
        "programs that hold keys",
    ),
    post(
        "/v1/organization/service-accounts",
        GOVERN,
        H::Organization(Org::NewServiceAccount),
        "a new service account",
    ),
    patch(
        "/v1/organization/service-accounts/{id}",
        GOVERN,
        H::Organization(Org::ChangeServiceAccount),
        "another name or role; its management keys can do no more than it",
    ),
    delete(
        "/v1/organization/service-accounts/{id}",
        GOVERN,
        H::Organization(Org::EndServiceAccount),
        "end a service account and its keys",
    ),
    get("/v1/organization/projects", READ, H::Organization(Org::Projects), "its projects"),
    put(
        "/v1/organization/projects/{slug}",
        GOVERN,
        H::Organization(Org::PutProject),
        "make a project, name it anew, archive it",
    ),
    get("/v1/organization/audit", GOVERN, H::Organization(Org::Audit), "who did what in it, newest first"),
    get("/v1/audit", OPERATOR, H::Organization(Org::AuditAll), "who did what on this server"),
    get("/v1/server/users", OPERATOR, H::Server(Server::Users), "everybody who may sign in"),
    patch("/v1/server/users/{id}", OPERATOR, H::Server(Server::User), "let somebody in no more, or again"),
    get(
        "/v1/server/organizations",
        OPERATOR,
        H::Server(Server::Organizations),
        "every organization, with its credit and use",
    ),
    get(
        "/v1/server/margin",
        OPERATOR,
        H::Server(Server::Margin),
        "what was charged, what providers take, and the difference",
    ),
    get(
        "/v1/server/providers",
        OPERATOR,
        H::Server(Server::Providers),
        "which providers are on, why, and how they do",
    ),
    get(
        "/v1/server/catalog",
        OPERATOR,
        H::Server(Server::Catalog),
        "facts that sources contradict each other on, that are due to be checked, that nobody states",
    ),
    get("/v1/server/jobs", OPERATOR, H::Server(Server::Jobs), "background jobs, and how they go"),
    get("/v1/server/state", OPERATOR, H::Server(Server::State), "the state of journal, store and process"),
    get("/v1/server/fees", OPERATOR, H::Server(Server::Fees), "the fees in force, and what they brought in"),
    get(
        "/v1/server/announcements",
        OPERATOR,
        H::Server(Server::Announcements),
        "what people are told on the pages",
    ),
    post("/v1/server/announcements", OPERATOR, H::Server(Server::Announce), "tell people something"),
    patch("/v1/server/announcements/{id}", OPERATOR, H::Server(Server::Reword), "word it anew, or end it"),
    delete("/v1/server/announcements/{id}", OPERATOR, H::Server(Server::Withdraw), "take it away"),
    get("/v1/announcements", PUBLIC, H::Announcements, "what the operator tells people at present"),
    get("/catalog.json", PUBLIC, H::Catalog, "the whole catalog with provenance"),
    get("/api.json", PUBLIC, H::ModelsDev, "the whole catalog in the models.dev shape"),
    get("/catalog/schema.json", PUBLIC, H::Schema, "JSON Schema of /catalog.json"),
    get("/openapi.json", PUBLIC, H::OpenApi, "this reference as an OpenAPI document"),
    get("/llms.txt", PUBLIC, H::Llms, "a short map of this server for language models"),
    get("/healthz", PUBLIC, H::Healthz, "the process is up"),
    get("/readyz", PUBLIC, H::Readyz, "calls can be served"),
    get("/metrics", OPERATOR, H::Metrics, "Prometheus; public on server.admin_listen"),
];
