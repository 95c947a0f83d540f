"""The official OpenAI SDK's Responses against the gateway, in front of a provider of the Chat dialect.

BASE_URL and API_KEY in, one line per check out; the provider is that of openai_python.py.
"""

import os

import openai

MODEL = "lab/tiny"
TOOLS = [
    {
        "type": "function",
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    }
]


def plain(client):
    answer = client.responses.create(model=MODEL, input="hi", store=False)
    assert answer.output_text == "Hello from here" and answer.status == "completed", answer
    assert answer.usage.input_tokens == 12 and answer.usage.cost > 0, answer.usage


def stream(client):
    with client.responses.stream(model=MODEL, input="hi") as events:
        numbers = [event.sequence_number for event in events]
        final = events.get_final_response()
    assert numbers == list(range(len(numbers))), numbers
    assert final.output_text == "Hello from here" and final.usage.output_tokens == 3, final


def tools(client):
    answer = client.responses.create(model=MODEL, input="hi", tools=TOOLS)
    call = answer.output[-1]
    assert call.type == "function_call" and call.arguments == '{"city":"Bern"}', answer
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    after = client.responses.create(model=MODEL, input=[result], previous_response_id=answer.id)
    assert after.output_text == "Hello from here", after


def tool_stream(client):
    with client.responses.stream(model=MODEL, input="hi", tools=TOOLS) as events:
        final = events.get_final_response()
    assert final.output[-1].arguments == '{"city":"Bern"}', final


def kept(client):
    first = client.responses.create(model=MODEL, input="hi", instructions="Be brief.")
    second = client.responses.create(model=MODEL, input="and?", previous_response_id=first.id)
    assert second.previous_response_id == first.id, second
    assert client.responses.retrieve(first.id).output_text == "Hello from here"
    items = client.responses.input_items.list(first.id).data
    assert items[0].content[0].text == "hi", items
    client.responses.delete(first.id)
    try:
        client.responses.retrieve(first.id)
    except openai.NotFoundError:
        return
    raise AssertionError("still there")


def refused(client):
    for arguments in ({"background": True}, {"previous_response_id": "resp_nobody"}):
        try:
            client.responses.create(model=MODEL, input="hi", **arguments)
        except (openai.BadRequestError, openai.NotFoundError):
            continue
        raise AssertionError(arguments)


def main():
    client = openai.OpenAI(base_url=os.environ["BASE_URL"], api_key=os.environ["API_KEY"], max_retries=0)
    for check in (plain, stream, tools, tool_stream, kept, refused):
        check(client)
        print("ok", check.__name__)


main()
