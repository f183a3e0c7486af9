"""A downstream system: subscribes to the record stream and prints each delivery as a line of JSON.

It knows nothing of the contract but its names: the messages come from server reflection, as they
would for grpcurl.
"""

import argparse
import json
import sys

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)


class Service:
    """The methods of one service, found by reflection."""

    def __init__(self, channel, name):
        pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(channel))
        self.channel = channel
        self.service = pool.FindServiceByName(name)

    def request(self, method, fields):
        message = message_factory.GetMessageClass(self._method(method).input_type)()
        return json_format.ParseDict(fields, message)

    def call(self, method, fields, stream=False):
        found = self._method(method)
        answer = message_factory.GetMessageClass(found.output_type)
        make = self.channel.unary_stream if stream else self.channel.unary_unary
        path = f"/{self.service.full_name}/{method}"
        stub = make(path, lambda message: message.SerializeToString(), answer.FromString)
        return stub(self.request(method, fields), **({} if stream else {"timeout": 10}))

    def _method(self, name):
        return self.service.methods_by_name[name]


def start(text):
    """What `--start` means in the contract's words."""
    if text.isdigit():
        return {"sequence": text}
    if text in ("LATEST", "LAST_ACKNOWLEDGED", "OLDEST"):
        return {"position": f"POSITION_{text}"}
    return {"time": text}


def show(delivery):
    fields = json_format.MessageToDict(delivery, preserving_proto_field_name=True)
    fields["sequence"] = int(fields.get("sequence", 0))
    print(json.dumps(fields), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("node")
    parser.add_argument("--consumer", default="")
    parser.add_argument("--start", default="OLDEST")
    parser.add_argument("--acknowledge", action="store_true")
    parser.add_argument("--max-in-flight", type=int, default=0)
    parser.add_argument("--records-only", action="store_true")
    parser.add_argument("--health", action="store_true", help="ask grpc.health.v1 and end")
    parser.add_argument("--watch", action="store_true", help="Events.Watch instead")
    parser.add_argument("--facts", default="", help="Records.Facts of this call instead")
    options = parser.parse_args()
    channel = grpc.insecure_channel(options.node)
    if options.health:
        health = Service(channel, "grpc.health.v1.Health")
        show_health = json_format.MessageToDict(health.call("Check", {}))
        print(json.dumps(show_health), flush=True)
        return 0
    if options.watch or options.facts:
        name, method, fields = ("Events", "Watch", {})
        if options.facts:
            name, method, fields = ("Records", "Facts", {"call_id": options.facts})
        try:
            for change in Service(channel, f"strowger.v1.{name}").call(method, fields, stream=True):
                told = json_format.MessageToDict(change, preserving_proto_field_name=True)
                print(json.dumps(told), flush=True)
        except grpc.RpcError as error:
            print(json.dumps({"error": error.code().name, "details": error.details()}), flush=True)
            return 1
        return 0
    records = Service(channel, "strowger.v1.Records")
    wanted = {"consumer": options.consumer, "start": start(options.start)}
    if options.max_in_flight:
        wanted["max_in_flight"] = options.max_in_flight
    if options.records_only:
        wanted["filter"] = {"kinds": ["KIND_RECORD"]}
    try:
        for delivery in records.call("Subscribe", wanted, stream=True):
            show(delivery)
            if options.acknowledge and delivery.HasField("record"):
                done = {"consumer": options.consumer, "sequence": delivery.sequence}
                records.call("Acknowledge", done)
    except grpc.RpcError as error:
        print(json.dumps({"error": error.code().name, "details": error.details()}), flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
