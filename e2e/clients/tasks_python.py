"""The official OpenAI SDK's calls beside conversations: embeddings, images, speech, transcriptions.

BASE_URL and API_KEY in, one line per check out. The provider is aimock, which speaks OpenAI's shape.
"""

import base64
import io
import os
import struct
import wave

import openai


def embeddings(client):
    # The SDK asks for base64 unless told otherwise, and makes floats of it.
    packed = client.embeddings.create(model="mock/embed", input=["hello", "again"])
    floats = client.embeddings.create(model="mock/embed", input=["hello", "again"], encoding_format="float")
    assert len(packed.data) == 2 and len(packed.data[0].embedding) > 1, packed
    single = [struct.unpack("<f", struct.pack("<f", x))[0] for x in floats.data[1].embedding]
    assert single == [struct.unpack("<f", struct.pack("<f", x))[0] for x in packed.data[1].embedding]
    assert packed.model == "mock/embed" and packed.usage.cost >= 0, packed.usage


def images(client):
    answer = client.images.generate(model="mock/draw", prompt="a guinea pig", n=1, size="1024x1024")
    assert answer.data[0].b64_json or answer.data[0].url, answer
    assert answer.usage.cost == 0.04, answer.usage


def speech(client):
    answer = client.audio.speech.create(model="mock/speak", voice="alloy", input="Say hello")
    assert len(answer.content) > 0 and answer.response.headers["content-type"] == "audio/mpeg"
    assert answer.response.headers["x-tollway-cost-usd"] == "0.000135", dict(answer.response.headers)


def transcriptions(client):
    sound = io.BytesIO()
    with wave.open(sound, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(8000 * 2 * 3))
    answer = client.audio.transcriptions.create(model="mock/hear", file=("said.wav", sound.getvalue()))
    assert answer.text, answer
    data = base64.b64encode(sound.getvalue()).decode()
    body = {"model": "mock/hear", "input_audio": {"data": data, "format": "wav"}}
    told = client.post("/audio/transcriptions", body=body, cast_to=object)
    assert told["text"] and told["usage"]["cost"] > 0, told


def refused(client):
    for call in (
        lambda: client.embeddings.create(model="mock/draw", input="hello"),
        lambda: client.images.generate(model="mock/embed", prompt="a guinea pig"),
    ):
        try:
            call()
        except openai.NotFoundError as error:
            assert "Filter by Output" in str(error.body), error.body
        else:
            raise AssertionError("served")


def main():
    client = openai.OpenAI(base_url=os.environ["BASE_URL"], api_key=os.environ["API_KEY"], max_retries=0)
    for check in (embeddings, images, speech, transcriptions, refused):
        check(client)
        print("ok", check.__name__)


main()
