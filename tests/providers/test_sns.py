"""Messages of Amazon's notification service: whose are believed, and what is never fetched."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from moderation.errors import CallbackRefused
from moderation.providers.shared.sns import Topic
from moderation.sandbox.sns import Signer

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
HOST = "https://sns.eu-west-1.amazonaws.com"
CERTIFICATE = f"{HOST}/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
NOTIFICATION = {
    "Type": "Notification",
    "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
    "TopicArn": "arn:aws:sns:eu-west-1:123456789012:AmazonRekognitionModeration",
    "Message": '{"JobId":"270c1cc5","Status":"SUCCEEDED","API":"StartContentModeration",'
    '"JobTag":"content:1","Timestamp":1763600123456,'
    '"Video":{"S3ObjectName":"v.mp4","S3Bucket":"ugc-media"}}',
    "Timestamp": "2026-11-20T05:58:43.512Z",
}
SUBSCRIPTION = {
    "Type": "SubscriptionConfirmation",
    "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
    "Token": "2336412f37fb687f5d51e6e241d09c805a5a57b30d712f794cc5f6a988666d92",
    "TopicArn": NOTIFICATION["TopicArn"],
    "Message": "You have chosen to subscribe to the topic. To confirm, visit the SubscribeURL.",
    "SubscribeURL": f"{HOST}/?Action=ConfirmSubscription&TopicArn={NOTIFICATION['TopicArn']}"
    "&Token=2336412f37fb",
    "Timestamp": "2026-11-20T05:50:00.000Z",
}
SIGNER = Signer()


def topic(host: str = "") -> Topic:
    return Topic(NOTIFICATION["TopicArn"], fetch=lambda address: SIGNER.certificate, host=host)


def signed(message: dict[str, str], version: str = "2", **unsigned: object) -> bytes:
    body = {
        **message,
        "SignatureVersion": version,
        "Signature": SIGNER.sign(message, version),
        "SigningCertURL": CERTIFICATE,
        **unsigned,
    }
    return json.dumps(body).encode()


def of_a_curve() -> bytes:
    """Return a certificate whose key is of a kind that Amazon does not sign with."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize(
    "message", [NOTIFICATION, {**NOTIFICATION, "Subject": "Rekognition"}, SUBSCRIPTION]
)
def test_messages_on_record_are_believed(message: dict[str, str], version: str) -> None:
    assert topic().read(signed(message, version), now=NOW) == message


@pytest.mark.parametrize(
    ("message", "length", "digest"),
    [
        (NOTIFICATION, 356, "717a6231b807035708de0a8a46e6f0f5c564f1a533bd6eff9094b54acfb3b8af"),
        (
            {**NOTIFICATION, "Subject": "Rekognition"},
            376,
            "5cc4670dad210ec9543fa305145ec05f28169e8e3315cb89972396cd4244b317",
        ),
        (SUBSCRIPTION, 510, "cc659c304d45a624230f76c95ac451b74b9ca98a7b6f7f1b6fface7d5f48031f"),
    ],
)
def test_what_is_signed_is_what_amazon_says(
    message: dict[str, str], length: int, digest: str
) -> None:
    values = topic().read(signed(message), now=NOW)
    text = "".join(f"{name}\n{value}\n" for name, value in values.items()).encode()
    assert list(values) == sorted(values)
    assert (len(text), hashlib.sha256(text).hexdigest()) == (length, digest)


@pytest.mark.parametrize(
    "address",
    [
        "http://sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/a.pem",
        "https://someone@sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonaws.com.example.org/a.pem",
        "https://sns.eu-west-1.amazonaws.com\\@example.org/a.pem",
        "https://example.org/sns.eu-west-1.amazonaws.com/a.pem",
        "https://example.org/?sns.eu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.s3.amazonaws.com/a.pem",
        "https://sns.a.b.amazonaws.com/a.pem",
        "https://snsseu-west-1.amazonaws.com/a.pem",
        "https://sns.eu-west-1.amazonawsXcom/a.pem",
        "https://sns.eu-west-1.amazonaws.com/a.txt",
        "https://sns.eu-west-1.amazonaws.com/a.pem\n",
        "https://sns.eu-west-1.amazonaws.com/a.pem#",
        "HTTPS://sns.eu-west-1.amazonaws.com/a.pem ",
        "",
        7,
        None,
    ],
)
def test_a_certificate_from_elsewhere_is_not_fetched(address: object) -> None:
    fetched: list[str] = []

    def fetch(url: str) -> bytes:
        fetched.append(url)
        return SIGNER.certificate

    made = Topic(NOTIFICATION["TopicArn"], fetch=fetch)
    with pytest.raises(CallbackRefused):
        made.read(signed(NOTIFICATION, SigningCertURL=address), now=NOW)
    assert fetched == []


@pytest.mark.parametrize("host", [HOST, "https://sns.cn-north-1.amazonaws.com.cn"])
def test_a_certificate_is_fetched_once_from_each_of_amazons_hosts(host: str) -> None:
    fetched: list[str] = []

    def fetch(url: str) -> bytes:
        fetched.append(url)
        return SIGNER.certificate

    made = Topic(NOTIFICATION["TopicArn"], fetch=fetch)
    for _ in range(3):
        made.read(signed(NOTIFICATION, SigningCertURL=f"{host}/a.pem"), now=NOW)
    for number in range(20):
        made.read(signed(NOTIFICATION, SigningCertURL=f"{host}/{number}.pem"), now=NOW)
    assert len(fetched) == 21


@pytest.mark.parametrize(
    "changed",
    [
        {"Message": '{"JobId":"another"}'},
        {"MessageId": "another"},
        {"Timestamp": "2026-11-20T05:59:00.000Z"},
        {"Subject": "Added"},
        {"Signature": base64.b64encode(b"x" * 256).decode()},
        {"Signature": "no base64"},
        {"Signature": ""},
        {"Signature": None},
        {"SignatureVersion": "1"},
        {"SignatureVersion": "3"},
        {"SignatureVersion": None},
        {"Type": "UnsubscribeConfirmation"},
        {"Type": "Something"},
        {"Type": None},
        {"Message": None},
        {"Message": {"JobId": "270c1cc5"}},
        {"MessageId": 7},
        {"Subject": 7},
        {"TopicArn": "arn:aws:sns:eu-west-1:123456789012:Another"},
        {"TopicArn": None},
    ],
)
def test_a_message_that_was_changed_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(CallbackRefused):
        topic().read(signed(NOTIFICATION, **changed), now=NOW)  # type: ignore[arg-type]


def test_a_stranger_can_sign_nothing() -> None:
    stranger = Signer()
    body = signed(NOTIFICATION, Signature=stranger.sign(NOTIFICATION, "2"))
    with pytest.raises(CallbackRefused, match="wrong"):
        topic().read(body, now=NOW)


@pytest.mark.parametrize(
    ("at", "is_believed"),
    [
        (NOW, True),
        (NOW - timedelta(minutes=75), True),  # repeats go on for an hour
        (NOW - timedelta(minutes=76), False),
        (NOW + timedelta(minutes=5), True),
        (NOW + timedelta(minutes=6), False),
    ],
)
def test_an_old_message_is_a_replay(at: datetime, is_believed: bool) -> None:
    body = signed({**NOTIFICATION, "Timestamp": at.isoformat()})
    if is_believed:
        assert topic().read(body, now=NOW)["Timestamp"] == at.isoformat()
    else:
        with pytest.raises(CallbackRefused, match="old"):
            topic().read(body, now=NOW)


@pytest.mark.parametrize("timestamp", ["", "yesterday", "2026-11-20T05:58:43.512"])
def test_a_time_that_means_nothing_is_refused(timestamp: str) -> None:
    with pytest.raises(CallbackRefused):
        topic().read(signed({**NOTIFICATION, "Timestamp": timestamp}), now=NOW)


@pytest.mark.parametrize(
    "address", ["http://169.254.169.254/latest/", f"{HOST}.example.org/?Action=x", f"{HOST}:22/"]
)
def test_an_address_to_confirm_is_amazons(address: str) -> None:
    with pytest.raises(CallbackRefused):
        topic().read(signed({**SUBSCRIPTION, "SubscribeURL": address}), now=NOW)


def test_a_sandbox_takes_the_place_of_amazons_host() -> None:
    own = "http://127.0.0.1:9911/rekognition/sns/a.pem"
    body = signed(NOTIFICATION, SigningCertURL=own)
    assert topic("127.0.0.1:9911").read(body, now=NOW) == NOTIFICATION
    for made in (topic(), topic("127.0.0.1:991"), topic("127x0.0.1:9911")):
        with pytest.raises(CallbackRefused):
            made.read(body, now=NOW)
    with pytest.raises(CallbackRefused):
        topic("127.0.0.1:9911").read(signed(NOTIFICATION), now=NOW)


def test_without_a_topic_nobody_is_believed() -> None:
    made = Topic("", fetch=lambda address: SIGNER.certificate)
    for message in (NOTIFICATION, {**NOTIFICATION, "TopicArn": ""}):
        with pytest.raises(CallbackRefused):
            made.read(signed(message), now=NOW)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"Notification"', b"\xff", b"{}"])
def test_a_body_that_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(CallbackRefused):
        topic().read(body, now=NOW)


@pytest.mark.parametrize(
    ("certificate", "now"),
    [
        (lambda: b"no certificate", NOW),
        (lambda: SIGNER.certificate, NOW + timedelta(days=40_000)),
        (of_a_curve, NOW),
    ],
)
def test_a_certificate_that_is_none_or_past_proves_nothing(
    certificate: Callable[[], bytes], now: datetime
) -> None:
    made = Topic(NOTIFICATION["TopicArn"], fetch=lambda address: certificate())
    body = signed({**NOTIFICATION, "Timestamp": now.isoformat()})
    with pytest.raises(CallbackRefused):
        made.read(body, now=now)
