"""The official OpenAI SDK for Python against the gateway: BASE_URL and API_KEY in, one line per check out.

The provider behind it answers "Hello from here" to a plain question, calls `get_weather` when tools are offered, and
fails with 400 when the question is "fail".
"""

import os

import openai

MODEL = "lab/tiny"
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather of a city",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]


def ask(text):
    return [{"role": "user", "content": text}]


def plain(client):
    answer = client.chat.completions.create(model=MODEL, messages=ask("hi"))
    assert answer.choices[0].message.content == "Hello from here", answer
    assert answer.id.startswith("gen-") and answer.model == MODEL, answer
    assert answer.usage.prompt_tokens == 12 and answer.usage.cost > 0, answer.usage


def raw_headers(client):
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=ask("hi"))
    assert raw.headers["x-generation-id"] == raw.parse().id, raw.headers
    assert float(raw.headers["x-tollway-cost-usd"]) == raw.parse().usage.cost, raw.headers


def stream(client):
    text, usage = "", None
    for chunk in client.chat.completions.create(model=MODEL, messages=ask("hi"), stream=True):
        text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
        usage = chunk.usage or usage
    assert text == "Hello from here", text
    assert usage and usage.completion_tokens == 3 and usage.cost > 0, usage


def stream_helper(client):
    options = {"include_usage": True}
    with client.chat.completions.stream(model=MODEL, messages=ask("hi"), stream_options=options) as events:
        for _ in events:
            pass
        final = events.get_final_completion()
    assert final.choices[0].message.content == "Hello from here", final
    assert final.usage.total_tokens == 15, final.usage


def tools(client):
    answer = client.chat.completions.create(model=MODEL, messages=ask("weather?"), tools=TOOLS)
    call = answer.choices[0].message.tool_calls[0]
    assert answer.choices[0].finish_reason == "tool_calls" and call.function.name == "get_weather", answer
    assert call.function.arguments == '{"city":"Bern"}', call


def tools_streamed(client):
    with client.chat.completions.stream(model=MODEL, messages=ask("weather?"), tools=TOOLS) as events:
        for _ in events:
            pass
        final = events.get_final_completion()
    assert final.choices[0].message.tool_calls[0].function.arguments == '{"city":"Bern"}', final


def models(client):
    names = {model.id for model in client.models.list()}
    assert MODEL in names and len(names) > 450, len(names)


def expect(kind, call):
    try:
        call()
    except kind as error:
        assert error.message and error.body, error
        return error
    raise AssertionError(f"no {kind.__name__}")


def errors(client):
    create = client.chat.completions.create
    bad = expect(openai.BadRequestError, lambda: create(model=MODEL, messages=ask("fail")))
    assert bad.status_code == 400, bad
    missing = expect(openai.NotFoundError, lambda: create(model="lab/tinny", messages=ask("hi")))
    assert missing.type == "model_not_found" and "lab/tiny" in str(missing), missing
    other = client.with_options(api_key="sk-nobody-0123456789")
    expect(openai.AuthenticationError, lambda: other.chat.completions.create(model=MODEL, messages=ask("hi")))
    expect(openai.BadRequestError, lambda: create(model=MODEL, messages=ask("hi"), max_tokens=-1))


def main():
    client = openai.OpenAI(base_url=os.environ["BASE_URL"], api_key=os.environ["API_KEY"], max_retries=0)
    for check in (plain, raw_headers, stream, stream_helper, tools, tools_streamed, models, errors):
        check(client)
        print("ok", check.__name__)


if __name__ == "__main__":
    main()
