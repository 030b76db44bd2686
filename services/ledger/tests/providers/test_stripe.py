"""Stripe's signatures, beside the library that Stripe ships."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import stripe as theirs
from hypothesis import given
from hypothesis import strategies as st

from ledger.providers import stripe as ours
from ledger.providers import stripe_twin
from ledger.providers.notices import (
    Fact,
    SignatureInvalid,
    TimestampOutOfTolerance,
    WebhookMalformed,
)

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
SECRET = "whsec_a"
RAW = stripe_twin.event("evt_1", "payment_intent.succeeded", id="pi_1", amount_received=5)


class TestVerify:
    def test_believes_what_stripes_own_library_signed(self) -> None:
        stamp = int(NOW.timestamp())
        signature = theirs.WebhookSignature._compute_signature(f"{stamp}.{RAW.decode()}", SECRET)

        ours.verify(RAW, f"t={stamp},v1={signature},v0=ignored", [SECRET], NOW)

    def test_signs_what_stripes_own_library_believes(self) -> None:
        header = ours.sign(RAW, SECRET, datetime.now(UTC))

        event = theirs.Webhook.construct_event(RAW, header, SECRET)

        assert event.id == "evt_1"

    def test_believes_any_of_several_secrets(self) -> None:
        ours.verify(RAW, ours.sign(RAW, "old", NOW), ["new", "old"], NOW)

    @given(place=st.integers(0, len(RAW) - 1), bit=st.integers(0, 7))
    def test_refuses_any_flipped_bit(self, place: int, bit: int) -> None:
        forged = bytearray(RAW)
        forged[place] ^= 1 << bit

        with pytest.raises(SignatureInvalid):
            ours.verify(bytes(forged), ours.sign(RAW, SECRET, NOW), [SECRET], NOW)

    @given(cut=st.integers(0, len(RAW) - 1))
    def test_refuses_anything_cut_short(self, cut: int) -> None:
        with pytest.raises(SignatureInvalid):
            ours.verify(RAW[:cut], ours.sign(RAW, SECRET, NOW), [SECRET], NOW)

    @given(header=st.text(max_size=100) | st.from_regex(r"t=\d{1,14},v1=[0-9a-zé]{0,64}"))
    def test_answers_any_header_with_a_refusal(self, header: str) -> None:
        with pytest.raises((SignatureInvalid, WebhookMalformed)):
            ours.verify(RAW, header, [SECRET], NOW)

    @pytest.mark.parametrize("header", ["", "t=1", "v1=ab", "t=1,t=2,v1=ab", "t=-1,v1=ab"])
    def test_refuses_a_header_without_time_or_signature(self, header: str) -> None:
        with pytest.raises(WebhookMalformed):
            ours.verify(RAW, header, [SECRET], NOW)

    @pytest.mark.parametrize(
        ("off_s", "ok"), [(300, True), (-300, True), (301, False), (-301, False)]
    )
    def test_bears_five_minutes(self, off_s: int, ok: bool) -> None:
        header = ours.sign(RAW, SECRET, NOW - timedelta(seconds=off_s))

        if ok:
            ours.verify(RAW, header, [SECRET], NOW)
        else:
            with pytest.raises(TimestampOutOfTolerance):
                ours.verify(RAW, header, [SECRET], NOW)


class TestRead:
    def test_knows_the_events_that_matter(self) -> None:
        dispute = {"status": "warning_needs_response", "payment_intent": "pi_1", "amount": 7}

        facts = {
            (n.fact, n.payment_id, n.amount)
            for n in (
                ours.read(RAW),
                ours.read(
                    stripe_twin.event(
                        "e", "charge.refunded", id="ch", payment_intent="pi_1", amount_refunded=3
                    )
                ),
                ours.read(stripe_twin.event("e", "charge.dispute.created", id="dp", **dispute)),
                ours.read(stripe_twin.event("e", "customer.created", id="cus_1")),
            )
        }

        assert facts == {
            (Fact.PAID, "pi_1", 5),
            (Fact.REFUNDED, "pi_1", 3),
            (Fact.OTHER, "pi_1", 7),
            (Fact.OTHER, None, 0),
        }

    def test_takes_an_event_of_no_concern_whatever_its_shape(self) -> None:
        raw = stripe_twin.event("e", "customer.created", id="cus_1", currency=None, metadata=None)

        assert ours.read(raw).fact is Fact.OTHER

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"[]",
            b"{}",
            b'{"id": 1, "type": "x", "data": {"object": {}}}',
            json.dumps(
                {
                    "id": "e",
                    "type": "payment_intent.succeeded",
                    "data": {"object": {"metadata": {"purchase_id": "no"}}},
                }
            ).encode(),
        ],
    )
    def test_refuses_what_is_no_event(self, body: bytes) -> None:
        with pytest.raises(WebhookMalformed):
            ours.read(body)
