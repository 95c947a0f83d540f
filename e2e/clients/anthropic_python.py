"""The official Anthropic SDK for Python against the gateway, in front of a provider of the OpenAI dialect.

BASE_URL and API_KEY in, one line per check out. The provider answers "Hello from here" to a plain question, calls
`get_weather` when tools are offered, and fails with 400 when the question is "fail".
"""

import os

import anthropic

MODEL = "lab/tiny"
TOOLS = [
    {
        "name": "get_weather",
        "description": "The weather of a city",
        "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
]


def ask(text):
    return [{"role": "user", "content": text}]


def plain(client):
    answer = client.messages.create(model=MODEL, max_tokens=50, messages=ask("hi"))
    assert answer.content[0].text == "Hello from here", answer
    assert answer.stop_reason == "end_turn" and answer.id.startswith("gen-"), answer
    assert answer.usage.input_tokens == 12 and answer.usage.output_tokens == 3, answer.usage
    assert answer.usage.cost > 0, answer.usage


def stream(client):
    with client.messages.stream(model=MODEL, max_tokens=50, messages=ask("hi")) as events:
        text = "".join(events.text_stream)
        final = events.get_final_message()
    assert text == "Hello from here" == final.content[0].text, (text, final)
    assert final.usage.input_tokens == 12 and final.usage.output_tokens == 3, final.usage


def tools(client):
    answer = client.messages.create(model=MODEL, max_tokens=50, messages=ask("hi"), tools=TOOLS)
    call = answer.content[-1]
    assert answer.stop_reason == "tool_use" and call.name == "get_weather", answer
    assert call.input == {"city": "Bern"} and call.id, call
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
    said = [*ask("hi"), {"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
    after = client.messages.create(model=MODEL, max_tokens=50, messages=said)
    assert after.content[0].text == "Hello from here", after


def tool_stream(client):
    with client.messages.stream(model=MODEL, max_tokens=50, messages=ask("hi"), tools=TOOLS) as events:
        final = events.get_final_message()
    assert final.content[-1].input == {"city": "Bern"} and final.stop_reason == "tool_use", final


def count(client):
    counted = client.messages.count_tokens(model=MODEL, messages=ask("How many?"))
    assert counted.input_tokens > 0 and counted.estimated is True, counted


def models(client):
    page = client.models.list()
    assert any(model.id == MODEL for model in page.data) and not page.has_more, page


def refused(client):
    try:
        client.messages.create(model=MODEL, max_tokens=50, messages=ask("fail"))
    except anthropic.BadRequestError as error:
        assert "you asked for it" in error.message and error.body["type"] == "error", error.body
    else:
        raise AssertionError("not refused")


def wrong_key(_):
    other = anthropic.Anthropic(base_url=os.environ["BASE_URL"].removesuffix("/v1"), api_key="sk-none", max_retries=0)
    try:
        other.messages.create(model=MODEL, max_tokens=50, messages=ask("hi"))
    except anthropic.AuthenticationError:
        return
    raise AssertionError("let in")


def main():
    base = os.environ["BASE_URL"].removesuffix("/v1")
    client = anthropic.Anthropic(base_url=base, api_key=os.environ["API_KEY"], max_retries=0)
    for check in (plain, stream, tools, tool_stream, count, models, refused, wrong_key):
        check(client)
        print("ok", check.__name__)


main()
