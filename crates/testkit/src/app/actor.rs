//! Whoever calls the gateway: with a key or without.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::http::{Body, Client, Reply, Request};

/// A caller.
#[derive(Clone, Debug)]
pub struct Actor {
    client: Client,
    key: Option<String>,
}

impl Actor {
    pub(super) fn new(addr: SocketAddr, key: Option<&str>) -> Actor {
        Actor { client: Client::new(addr), key: key.map(str::to_owned) }
    }

    /// The key's text, if there is one.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// The same as [`Actor::post`], borrowing nothing: for many at once.
    pub fn post_owned(&self, path: &str, body: Value) -> impl Future<Output = Reply> + Send + 'static {
        self.request("POST", path).json(&body).send()
    }

    /// Begins a request with this caller's key.
    pub fn request(&self, method: &str, path: &str) -> Request {
        let request = self.client.request(method, path);
        match &self.key {
            Some(key) => request.bearer(key),
            None => request,
        }
    }

    /// `GET`, whole.
    pub async fn get(&self, path: &str) -> Reply {
        self.request("GET", path).send().await
    }

    /// `POST` of JSON, whole.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.request("POST", path).json(body).send().await
    }

    /// `PATCH` of JSON, whole.
    pub async fn patch(&self, path: &str, body: &Value) -> Reply {
        self.request("PATCH", path).json(body).send().await
    }

    /// A chat request to be completed and sent.
    pub fn chat_request(&self, body: &Value) -> Request {
        self.request("POST", "/v1/chat/completions").json(body)
    }

    /// Asks `model` and reads the whole answer.
    pub async fn chat(&self, model: &str) -> Reply {
        self.chat_request(&ask(model)).send().await
    }

    /// Asks `model` for a stream and reads its head.
    pub async fn stream(&self, model: &str) -> Body {
        self.chat_request(&ask_stream(model)).open().await
    }

    /// The record of a generation, as soon as it can be read.
    pub async fn generation(&self, id: &str) -> Value {
        let path = format!("/v1/generation?id={id}");
        crate::eventually(&format!("the record of {id}"), || async {
            let reply = self.get(&path).await;
            (reply.status == 200).then(|| reply.json()["data"].take())
        })
        .await
    }
}

/// A plain question to `model`.
pub fn ask(model: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": "Say hello." }] })
}

/// The same question, streamed.
pub fn ask_stream(model: &str) -> Value {
    let mut body = ask(model);
    body["stream"] = json!(true);
    body
}
