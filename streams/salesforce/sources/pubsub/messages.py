"""The messages of the Pub/Sub API that a subscriber needs, from their published names and field numbers (package `eventbus.v1`).

Made at run time out of these lines, which read as the proto file does: no generated code, whose version would have to fit the installed
protobuf, and no compiler.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE = "eventbus.v1.PubSub"
_PACKAGE = "eventbus.v1"
_PRESETS = ("LATEST", "EARLIEST", "CUSTOM")
LATEST, EARLIEST, CUSTOM = range(3)
"""Where a subscription begins (`ReplayPreset`)."""
_MESSAGES: dict[str, tuple[str, ...]] = {
    "TopicRequest": ("string topic_name = 1",),
    "TopicInfo": ("string topic_name = 1", "bool can_subscribe = 4", "string schema_id = 5"),
    "SchemaRequest": ("string schema_id = 1",),
    "SchemaInfo": ("string schema_json = 1", "string schema_id = 2"),
    "ProducerEvent": ("string id = 1", "string schema_id = 2", "bytes payload = 3"),
    "ConsumerEvent": ("ProducerEvent event = 1", "bytes replay_id = 2"),
    "FetchRequest": ("string topic_name = 1", "ReplayPreset replay_preset = 2", "bytes replay_id = 3", "int32 num_requested = 4"),
    "FetchResponse": ("repeated ConsumerEvent events = 1", "bytes latest_replay_id = 2", "int32 pending_num_requested = 4"),
}
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {"string": _Field.TYPE_STRING, "bytes": _Field.TYPE_BYTES, "bool": _Field.TYPE_BOOL, "int32": _Field.TYPE_INT32}


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="tandem/pubsub.proto", package=_PACKAGE, syntax="proto3")
    presets = file.enum_type.add(name="ReplayPreset")
    for number, name in enumerate(_PRESETS):
        presets.value.add(name=name, number=number)
    for name, lines in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for line in lines:
            _add(message, line)
    return file


def _add(message: descriptor_pb2.DescriptorProto, line: str) -> None:
    *repeated, kind, name, _, number = line.split()
    label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
    field = message.field.add(name=name, number=int(number), label=label)
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
        return
    field.type = _Field.TYPE_ENUM if kind == "ReplayPreset" else _Field.TYPE_MESSAGE
    field.type_name = f".{_PACKAGE}.{kind}"


_POOL = descriptor_pool.DescriptorPool()
_POOL.Add(_file())
_CLASSES: dict[str, Any] = {name: message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _MESSAGES}


def message(name: str) -> Any:
    """The class of the message of that name."""
    return _CLASSES[name]


def names() -> tuple[str, ...]:
    """The messages that there are."""
    return tuple(_MESSAGES)
