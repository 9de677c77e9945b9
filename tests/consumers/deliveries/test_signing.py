"""Signatures: the vector of the specification, and what a receiver's own library says of ours."""

import secrets
import time

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from consumers.deliveries.delivery import Secret, Unusable
from consumers.deliveries.signing import checked_secret, headers, new_secret, signature

VECTOR = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"""The secret of the test vector in the specification's libraries."""


def test_the_vector_of_the_specification() -> None:
    told = signature(VECTOR, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert told == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_receiver_takes_what_is_signed_with_either_secret_until_the_old_one_is_over() -> None:
    now, body = round(time.time() * 1000), b'{"type":"x","name":"\xc3\x84da"}'
    new, old = new_secret(secrets.token_bytes(32)), new_secret(secrets.token_bytes(24))
    both = [Secret(text=new, created_at=now), Secret(text=old, created_at=1, until=now + 1)]
    told = headers(both, identity="msg_1", at_ms=now, body=body)
    for secret in (new, old):
        assert Webhook(secret).verify(body.decode(), told) == {"type": "x", "name": "Äda"}
    late = headers(both, identity="msg_1", at_ms=now + 1, body=body)
    assert Webhook(new).verify(body.decode(), late)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(body.decode(), late)


@pytest.mark.parametrize("part", ["webhook-id", "webhook-timestamp", "body"])
def test_nothing_of_a_call_can_be_changed(part: str) -> None:
    now, body = round(time.time() * 1000), '{"type":"x"}'
    told = headers([Secret(text=VECTOR, created_at=0)], identity="msg_1", at_ms=now, body=body.encode())
    changed = told | ({part: str(now // 1000 + 1) if "time" in part else "msg_2"} if part != "body" else {})
    with pytest.raises(WebhookVerificationError):
        Webhook(VECTOR).verify(body if part != "body" else '{"type":"y"}', changed)


@pytest.mark.parametrize(
    "text", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_" + "A" * 400, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!", "password"]
)
def test_a_secret_that_is_none_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(Unusable) as refused:
        checked_secret(text)
    assert not text.removeprefix("whsec_") or text not in str(refused.value)


def test_a_secret_is_known_with_and_without_its_prefix() -> None:
    assert checked_secret(VECTOR.removeprefix("whsec_")) == checked_secret(f" {VECTOR}\n") == VECTOR


def test_a_secret_is_not_in_what_is_printed() -> None:
    assert VECTOR not in repr(Secret(text=VECTOR, created_at=0))
