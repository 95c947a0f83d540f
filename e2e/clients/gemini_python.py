"""The official Google Gen AI SDK for Python against the gateway, in front of a provider of the OpenAI dialect.

BASE_URL and API_KEY in, one line per check out; the provider is that of openai_python.py.
"""

import os

from google import genai
from google.genai import errors, types

MODEL = "lab/tiny"
WEATHER = types.FunctionDeclaration(
    name="get_weather",
    parameters_json_schema={"type": "object", "properties": {"city": {"type": "string"}}},
)
TOOLS = types.GenerateContentConfig(tools=[types.Tool(function_declarations=[WEATHER])])


def plain(client):
    answer = client.models.generate_content(model=MODEL, contents="hi")
    assert answer.text == "Hello from here", answer
    assert answer.usage_metadata.prompt_token_count == 12, answer.usage_metadata
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP, answer


def stream(client):
    chunks = list(client.models.generate_content_stream(model=MODEL, contents="hi"))
    assert "".join(chunk.text or "" for chunk in chunks) == "Hello from here", chunks
    assert chunks[-1].usage_metadata.candidates_token_count == 3, chunks[-1]


def tools(client):
    answer = client.models.generate_content(model=MODEL, contents="hi", config=TOOLS)
    call = answer.function_calls[0]
    assert call.name == "get_weather" and call.args == {"city": "Bern"}, answer


def tool_stream(client):
    chunks = client.models.generate_content_stream(model=MODEL, contents="hi", config=TOOLS)
    calls = [call for chunk in chunks for call in chunk.function_calls or []]
    assert [call.args for call in calls] == [{"city": "Bern"}], calls


def count(client):
    assert client.models.count_tokens(model=MODEL, contents="How many?").total_tokens > 0


def refused(client):
    try:
        client.models.generate_content(model=MODEL, contents="fail")
    except errors.ClientError as error:
        assert error.code == 400 and "you asked for it" in error.message, error
    else:
        raise AssertionError("not refused")


def main():
    base = os.environ["BASE_URL"].removesuffix("/v1")
    options = types.HttpOptions(base_url=base, api_version="v1beta")
    client = genai.Client(api_key=os.environ["API_KEY"], http_options=options)
    for check in (plain, stream, tools, tool_stream, count, refused):
        check(client)
        print("ok", check.__name__)


main()
