"""OpenTelemetry's own Python messages read what the gateway sent: files in, one line per generation out."""

import sys

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def value(attribute):
    return getattr(attribute.value, attribute.value.WhichOneof("value"))


def spans(path):
    request = ExportTraceServiceRequest()
    with open(path, "rb") as file:
        request.ParseFromString(file.read())
    for resource in request.resource_spans:
        names = {pair.key: value(pair) for pair in resource.resource.attributes}
        assert names["service.name"] == "tollway", names
        for scope in resource.scope_spans:
            assert scope.scope.name == "tollway", scope.scope
            yield from scope.spans


def main():
    found = [span for path in sys.argv[1:] for span in spans(path)]
    for span in found:
        assert len(span.trace_id) == 16 and len(span.span_id) == 8
        assert 0 < span.start_time_unix_nano <= span.end_time_unix_nano
    for server in (span for span in found if span.kind == span.SPAN_KIND_SERVER):
        names = {pair.key: value(pair) for pair in server.attributes}
        below = [span for span in found if span.parent_span_id == server.span_id]
        assert [span.kind for span in below] == [server.SPAN_KIND_CLIENT], below
        assert names["gen_ai.operation.name"] == "chat" and server.name == "chat lab/tiny", server
        tokens = (names["gen_ai.usage.input_tokens"], names["gen_ai.usage.output_tokens"])
        print("ok", names["tollway.generation.id"], *tokens)


main()
