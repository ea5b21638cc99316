"""Nothing that names a person lies in clear in the database."""

from gateway.domain.order import Person, PremiumSubject
from tests.support.databases import Database
from tests.support.world import REGION, World

INSURED_NUMBER, PAYER_NUMBER = "34010019000101001X", "340100190002020020"
INSURED_NAME, PAYER_NAME = "参保甲测试", "缴费乙测试"
OPENID = "oCanaryOpenid0001"
CANARIES = [text.encode() for text in (INSURED_NUMBER, PAYER_NUMBER, INSURED_NAME, PAYER_NAME, OPENID)]


def test_order_paid_by_a_person_leaves_no_personal_text_in_the_database(world: World, database: Database) -> None:
    """Identity number, names, openid and the raw callback are sealed or keyed; control: our own numbers are found."""
    people = PremiumSubject(
        region=REGION,
        insured_year=2026,
        insurance_kind="resident_medical",
        insured=Person(name=INSURED_NAME, id_type="resident_id", id_number=INSURED_NUMBER),
        payer=Person(name=PAYER_NAME, id_type="resident_id", id_number=PAYER_NUMBER),
    )
    order = world.open("C-canary", subject=people)
    payment = world.start(order, fields={"openid": OPENID})
    world.alpha.pay(payment.out_trade_no)
    callback = world.alpha.callback(payment.out_trade_no, provider_status=f"{PAYER_NAME}"[:0] + "PAID")
    with_name = type(callback)(
        headers=callback.headers | {"x-payer": OPENID},
        body=callback.body.replace(b'"event": "notice"', f'"event": "notice", "payer": "{PAYER_NAME}"'.encode()),
        received_at=callback.received_at,
    )
    assert PAYER_NAME.encode() in with_name.body
    assert world.deliver(payment, with_name).outcome == "applied"
    world.refund(world.order(order.id), 100)
    world.work()

    everything = database.everything()
    assert [canary.decode() for canary in CANARIES if canary in everything] == []
    for visible in ("C-canary", payment.out_trade_no, order.id):
        assert visible.encode() in everything
