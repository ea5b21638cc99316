import sys; sys.path.insert(0,'/work/main')
from tests.journeys.test_races import *
def test_dbg(world, database):
    test = test_payment_that_a_broken_query_hid_until_the_order_was_closed_is_kept
    try: test(world, database, "wechatpay")
    except AssertionError: pass
    tx=world.gateway.store.read()
    oid=tx.all_orders_page(before="ord_g",limit=1)[0].id
    for e in tx.events_page(oid,after=0,limit=99): print(e.at,e.kind,e.actor,e.detail)
    for d in world.deliveries("wechatpay"): print(d)
    assert 0
