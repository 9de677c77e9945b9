"""The messages of the service, from its published names and field numbers. Built at run time: no generated code, no compiler."""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE, SERVICE = "eventbus.v1", "eventbus.v1.PubSub"
_ENUMS = {
    "ErrorCode": ("UNKNOWN", "PUBLISH", "COMMIT"),
    "ReplayPreset": ("LATEST", "EARLIEST", "CUSTOM"),
}
_MESSAGES: dict[str, tuple[str, ...]] = {
    "TopicInfo": ("topic_name string", "tenant_guid string", "can_publish bool", "can_subscribe bool", "schema_id string", "rpc_id string"),
    "TopicRequest": ("topic_name string",),
    "EventHeader": ("key string", "value bytes"),
    "ProducerEvent": ("id string", "schema_id string", "payload bytes", "headers EventHeader*"),
    "ConsumerEvent": ("event ProducerEvent", "replay_id bytes"),
    "PublishResult": ("replay_id bytes", "error Error", "correlation_key string"),
    "Error": ("code ErrorCode", "msg string"),
    "FetchRequest": ("topic_name string", "replay_preset ReplayPreset", "replay_id bytes", "num_requested int32", "auth_refresh string"),
    "FetchResponse": ("events ConsumerEvent*", "latest_replay_id bytes", "rpc_id string", "pending_num_requested int32"),
    "SchemaRequest": ("schema_id string",),
    "SchemaInfo": ("schema_json string", "schema_id string", "rpc_id string"),
    "PublishRequest": ("topic_name string", "events ProducerEvent*", "auth_refresh string"),
    "PublishResponse": ("results PublishResult*", "schema_id string", "rpc_id string"),
    "ManagedFetchRequest": (
        "subscription_id string", "developer_name string", "num_requested int32", "auth_refresh string",
        "commit_replay_id_request CommitReplayRequest",
    ),
    "ManagedFetchResponse": (
        "events ConsumerEvent*", "latest_replay_id bytes", "rpc_id string", "pending_num_requested int32",
        "commit_response CommitReplayResponse",
    ),
    "CommitReplayRequest": ("commit_request_id string", "replay_id bytes"),
    "CommitReplayResponse": ("commit_request_id string", "replay_id bytes", "error Error", "process_time int64"),
}  # fmt: skip
"""Each field's place is its number."""
_SCALARS = {
    "string": descriptor_pb2.FieldDescriptorProto.TYPE_STRING,
    "bytes": descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
    "bool": descriptor_pb2.FieldDescriptorProto.TYPE_BOOL,
    "int32": descriptor_pb2.FieldDescriptorProto.TYPE_INT32,
    "int64": descriptor_pb2.FieldDescriptorProto.TYPE_INT64,
}


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="tandem_sandbox/pubsub.proto", package=PACKAGE, syntax="proto3")
    for name, values in _ENUMS.items():
        enum = file.enum_type.add(name=name)
        for number, value in enumerate(values):
            enum.value.add(name=value, number=number)
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, text in enumerate(fields, start=1):
            _add_field(message, number, text)
    return file


def _add_field(message: descriptor_pb2.DescriptorProto, number: int, text: str) -> None:
    name, kind = text.split()
    field = message.field.add(name=name, number=number, label=descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL)
    if kind.endswith("*"):
        field.label = descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED
        kind = kind[:-1]
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
        return
    enum = kind in _ENUMS
    field.type = descriptor_pb2.FieldDescriptorProto.TYPE_ENUM if enum else descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
    field.type_name = f".{PACKAGE}.{kind}"


_POOL = descriptor_pool.DescriptorPool()
_POOL.Add(_file())
_CLASSES: dict[str, Any] = {name: message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in _MESSAGES}


def message(name: str) -> Any:
    """The class of the message of that name."""
    return _CLASSES[name]
