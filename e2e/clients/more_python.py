"""The official SDKs of Mistral and Cohere against the gateway, as far as they speak a dialect that comes in.

BASE_URL and API_KEY in, one line per check out. The provider answers "Hello from here" to a plain question, calls
`get_weather` when tools are offered, embeds with [0.5, -1.0], and ranks the second document first.
"""

import os

import cohere
from mistralai.client import Mistral

TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}}]
ASK = [{"role": "user", "content": "hi"}]


def mistral_chat(client, _):
    answer = client.chat.complete(model="lab/tiny", messages=ASK)
    assert answer.choices[0].message.content == "Hello from here", answer
    assert answer.usage.prompt_tokens == 12, answer.usage
    called = client.chat.complete(model="lab/tiny", messages=ASK, tools=TOOLS)
    assert called.choices[0].message.tool_calls[0].function.name == "get_weather", called


def mistral_stream(client, _):
    words = [event.data.choices[0].delta.content for event in client.chat.stream(model="lab/tiny", messages=ASK)
             if event.data.choices]
    assert "".join(word or "" for word in words) == "Hello from here", words


def mistral_embeddings(client, _):
    answer = client.embeddings.create(model="lab/embed", inputs=["hi"])
    assert answer.data[0].embedding == [0.5, -1.0], answer


def cohere_rerank(_, client):
    answer = client.rerank(model="lab/rank", query="q", documents=["a", "b"], top_n=1, return_documents=True)
    assert answer.results[0].index == 1 and answer.results[0].document.text == "b", answer


def main():
    origin = os.environ["BASE_URL"].removesuffix("/v1")
    mistral = Mistral(api_key=os.environ["API_KEY"], server_url=origin)
    client = cohere.Client(os.environ["API_KEY"], base_url=origin)
    for check in (mistral_chat, mistral_stream, mistral_embeddings, cohere_rerank):
        check(mistral, client)
        print("ok", check.__name__)


main()
