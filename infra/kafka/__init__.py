"""A real Kafka broker on this machine: one node in KRaft mode, from Maven's jars, on loopback ports."""

from infra.kafka.broker import Broker

__all__ = ["Broker"]
