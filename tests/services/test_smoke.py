from tests.support.invariants import assert_invariants
from tests.support.world import World, subject

def test_smoke(world: World) -> None:
    order, payment = world.paid(subject=subject())
    assert order.state == "paid"
    refund = world.refund(order, 100)
    world.work()
    assert world.refund_row(refund.id).state == "submitted"
    assert_invariants(world.store)
