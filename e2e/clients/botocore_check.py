"""What AWS' own library says of our requests to Bedrock: their shapes by its service model, their signatures by its signer.

JSON lines in (path, headers, body in base64), one line per request out.
"""

import base64
import datetime
import json
import sys

import botocore.auth
import botocore.session
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.validate import ParamValidator

KEYS = Credentials("AKIAEXAMPLE", "secret/example+key", "session==token")


def with_bytes(shape, value):
    """JSON as the model's shapes have it: blobs are base64 in JSON and bytes in Python."""
    if shape.type_name == "blob":
        return base64.b64decode(value, validate=True)
    if shape.type_name == "structure" and not getattr(shape, "is_document_type", False):
        known = {m.serialization.get("name", name): (name, m) for name, m in shape.members.items()}
        return {known[k][0] if k in known else k: with_bytes(known[k][1], v) if k in known else v for k, v in value.items()}
    if shape.type_name == "list":
        return [with_bytes(shape.member, item) for item in value]
    if shape.type_name == "map":
        return {key: with_bytes(shape.value, item) for key, item in value.items()}
    return value


def check_shape(model, path, body):
    if path.endswith("/invoke"):
        # Claude's own dialect: AWS takes any bytes; the version must be told and the model is in the path.
        assert body["anthropic_version"] == "bedrock-2023-05-31" and "model" not in body and "stream" not in body, body
        return
    operation = "ConverseStream" if path.endswith("/converse-stream") else "Converse"
    shape = model.operation_model(operation).input_shape
    params = with_bytes(shape, {"modelId": "m", **body})
    unknown = set(params) - set(shape.members)
    assert not unknown, f"unknown members: {unknown}"
    report = ParamValidator().validate(params, shape)
    assert not report.has_errors(), report.generate_report()


class Frozen(datetime.datetime):
    at = None

    @classmethod
    def utcnow(cls):
        return cls.at


def check_signature(request, body):
    headers = dict(request["headers"])
    authorization = headers["authorization"]
    signed = authorization.split("SignedHeaders=")[1].split(",")[0].split(";")
    theirs = authorization.split("Signature=")[1]
    url = f"http://{headers['host']}{request['path']}"
    again = AWSRequest("POST", url, headers={name: headers[name] for name in signed if name != "host"}, data=body)
    again.context["timestamp"] = headers["x-amz-date"]
    signer = botocore.auth.SigV4Auth(KEYS, "bedrock", "eu-central-1")
    assert headers["x-amz-security-token"] == KEYS.token
    canonical = signer.canonical_request(again)
    ours = signer.signature(signer.string_to_sign(again, canonical), again)
    assert ours == theirs, f"{ours} is not {theirs} for\n{canonical}"


def main():
    session = botocore.session.get_session()
    model = session.get_service_model("bedrock-runtime")
    for line in sys.stdin:
        request = json.loads(line)
        body = base64.b64decode(request["body"])
        check_shape(model, request["path"], json.loads(body))
        if "authorization" in dict(request["headers"]):
            check_signature(request, body)
        print("ok", request["path"])


main()
