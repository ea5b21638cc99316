"""Collected records over HTTP: batches as JSON and CSV, previewed, repeated, read again."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.collecting import TAX, VILLAGE
from tests.support.databases import Database
from tests.support.invariants import assert_invariants
from tests.support.world import AMOUNT_FEN
from tests.web.both import BOTH
from tests.web.front import API_KEY, VILLAGE_KEY, Front, Json, order_body, problem, resident_id

HEADER = "agent_code,proof_no,collected_on,method,amount_yuan,region,insured_year,insurance_kind,name,id_type,id_number"
TITLES = "代办编码,凭证号,收款日期,收款方式,金额（元）,行政区划代码,缴费年度,险种,参保人姓名,证件类型,证件号码"


@pytest.fixture
def front(make_front: Callable[..., Front]) -> Front:
    return make_front(agents={agent.name: agent for agent in (VILLAGE, TAX)})


def number(n: int) -> str:
    return resident_id(f"34010019000101{n:03d}")


def a_record(n: int = 1, **changes: Any) -> Json:
    """What the village sends for the n-th invented person."""
    return {
        "agent_code": VILLAGE.code,
        "proof_no": f"T-{n:04d}",
        "collected_on": "2026-03-01",
        "method": "cash",
        "amount_fen": AMOUNT_FEN,
        "region": "340100",
        "insured_year": 2026,
        "insurance_kind": "resident_medical",
        "insured": {"name": "测试参保人", "id_type": "resident_id", "id_number": number(n)},
    } | changes


def csv_row(n: int = 1, **changes: str) -> str:
    cells = {
        "agent_code": VILLAGE.code,
        "proof_no": f"T-{n:04d}",
        "collected_on": "2026-03-01",
        "method": "现金",
        "amount_yuan": "380.01",
        "region": "340100",
        "insured_year": "2026",
        "insurance_kind": "城乡居民医保",
        "name": "测试参保人",
        "id_type": "居民身份证",
        "id_number": number(n),
    } | changes
    return ",".join(cells.values())


def submit(front: Front, *records: Any, preview: bool = False, key: str | None = None, **more: Any) -> Any:
    body = {"records": list(records)} | ({"preview": True} if preview else {})
    return front.post("/v1/collections", body, key=key, credential=VILLAGE_KEY, **more)


def submit_csv(
    front: Front, text: str | bytes, *, charset: str = "utf-8", query: str = "", key: str | None = None
) -> Any:
    raw = text.encode(charset) if isinstance(text, str) else text
    return front.post(
        f"/v1/collections/csv{query}",
        raw,
        key=key,
        credential=VILLAGE_KEY,
        headers={"Content-Type": f"text/csv; charset={charset}"},
    )


def outcomes(response: Any) -> list[str]:
    assert response.status_code == 200, response.data
    return [line["outcome"] for line in response.get_json()["results"]]


@BOTH
def test_batch_takes_each_record_by_itself(front: Front) -> None:
    """Accepted, duplicate, question and fault beside each other, each with what it became."""
    front.paid_order("C-1", subject={k: v for k, v in a_record(3).items() if k in _SUBJECT})
    response = submit(front, a_record(1), a_record(1), a_record(3), a_record(4, amount_fen=0))
    body = response.get_json()
    order = front.get(f"/v1/orders/{body['results'][0]['order_id']}", credential=VILLAGE_KEY).get_json()

    assert ["accepted", "duplicate", "review", "invalid"] == outcomes(response)
    assert body["counts"] == {"accepted": 1, "duplicate": 1, "review": 1, "invalid": 1}
    assert (order["state"], order["amount_paid_fen"]) == ("paid", AMOUNT_FEN)
    assert (order["payments"][0]["provider"], order["payments"][0]["account"]) == ("agent", VILLAGE.name)
    assert body["results"][1]["collection_id"] == body["results"][0]["collection_id"]
    assert (body["results"][2]["reason"], body["results"][2]["state"]) == ("premium_paid_twice", "review")
    assert body["results"][2]["review_id"].startswith("rev_")
    assert list(body["results"][3]["errors"]) == ["amount_fen"]
    assert_invariants(front.store)


_SUBJECT = ("region", "insured_year", "insurance_kind", "insured")


def test_batch_repeated_under_its_key_gets_the_stored_answer(front: Front, database: Database) -> None:
    """Byte for byte."""
    first = submit(front, a_record(), key="k-1")
    again = submit(front, a_record(), key="k-1")

    assert (again.data, again.headers["Idempotency-Replayed"]) == (first.data, "true")
    assert problem(submit(front, a_record(2), key="k-1")) == (422, "idempotency_key_reused")
    assert database.rows("SELECT count(*) FROM orders") == [(1,)]


def test_preview_changes_nothing_and_uses_up_no_key(front: Front, database: Database) -> None:
    """The same key may then be used for the real thing."""
    foreseen = submit(front, a_record(1), a_record(1), a_record(2, region="3401"), preview=True, key="k-1")

    assert ["accepted", "duplicate", "invalid"] == outcomes(foreseen)
    assert (foreseen.get_json()["batch_id"], foreseen.get_json()["preview"]) == (None, True)
    for table in ("orders", "collections", "idempotency_keys", "notifications"):
        assert database.rows(f"SELECT count(*) FROM {table}") == [(0,)]
    assert ["accepted"] == outcomes(submit(front, a_record(1), key="k-1"))


def test_batch_of_the_largest_size_is_taken_and_one_more_is_refused(front: Front) -> None:
    """It is longer than other bodies may be."""
    records = [a_record(n) for n in range(1, 502)]

    assert len(json.dumps({"records": records})) > front.settings.body_bytes_max
    assert ["accepted"] * 500 == outcomes(submit(front, *records[:500], preview=True))
    assert problem(submit(front, *records)) == (422, "invalid_request")
    assert problem(submit(front)) == (422, "invalid_request")


def test_body_over_the_routes_own_limit_gets_413(front: Front) -> None:
    """A limit on everything."""
    assert problem(submit(front, {"x": "y" * (1 << 19)})) == (413, "body_too_large")
    assert problem(front.post("/v1/orders", order_body(description="x" * 70_000))) == (413, "body_too_large")


FAULTS: dict[str, tuple[Json, str]] = {
    "agent_missing": ({"agent_code": None}, "agent_code"),
    "agent_of_nobody": ({"agent_code": "nobody"}, "agent_code"),
    "proof_blank": ({"proof_no": ""}, "proof_no"),
    "proof_formula": ({"proof_no": "=1+1"}, "proof_no"),
    "proof_of_41_characters": ({"proof_no": "9" * 41}, "proof_no"),
    "proof_with_line_end": ({"proof_no": "T-1\n"}, "proof_no"),
    "day_of_no_month": ({"collected_on": "2026-02-30"}, "collected_on"),
    "day_with_time": ({"collected_on": "2026-03-01T00:00:00+08:00"}, "collected_on"),
    "day_tomorrow": ({"collected_on": "2026-03-02"}, "collected_on"),
    "method_unknown": ({"method": "barter"}, "method"),
    "amount_zero": ({"amount_fen": 0}, "amount_fen"),
    "amount_negative": ({"amount_fen": -1}, "amount_fen"),
    "amount_text": ({"amount_fen": "38001"}, "amount_fen"),
    "amount_fraction": ({"amount_fen": 380.01}, "amount_fen"),
    "amount_true": ({"amount_fen": True}, "amount_fen"),
    "amount_above_the_agents": ({"amount_fen": 1_000_001}, "amount_fen"),
    "region_short": ({"region": "3401"}, "region"),
    "region_of_another": ({"region": "341200"}, "region"),
    "year_text": ({"insured_year": "2026"}, "insured_year"),
    "person_without_number": ({"insured": {"name": "甲", "id_type": "resident_id"}}, "insured.id_number"),
    "person_with_bad_check_digit": (
        {"insured": {"name": "甲", "id_type": "resident_id", "id_number": "340100190001010011"}},
        "insured.id_number",
    ),
    "person_is_a_text": ({"insured": "甲"}, "insured"),
    "unknown_member": ({"amount": 1}, "amount"),
}


@pytest.mark.parametrize(("changes", "field"), FAULTS.values(), ids=FAULTS)
def test_line_at_fault_names_the_field_and_stops_no_other(front: Front, changes: Json, field: str) -> None:
    """Never with its value."""
    bad = {name: value for name, value in a_record(1, **changes).items() if value is not None}
    response = submit(front, bad, a_record(2))
    line = response.get_json()["results"][0]

    assert ["invalid", "accepted"] == outcomes(response)
    assert field in line["errors"]
    assert number(1) not in response.text


NO_RECORDS: dict[str, Any] = {"list": [], "text": "x", "number": 1, "none": None, "objects": [1]}


@pytest.mark.parametrize("records", NO_RECORDS.values(), ids=NO_RECORDS)
def test_batch_that_is_no_list_of_objects_is_refused_whole(front: Front, records: Any) -> None:
    """There are no lines to tell of."""
    response = front.post("/v1/collections", {"records": records}, credential=VILLAGE_KEY)

    assert problem(response) == (422, "invalid_request")


def test_app_without_agents_can_submit_nothing(front: Front) -> None:
    """Agents name their apps."""
    response = front.post("/v1/collections", {"records": [a_record()]}, credential=API_KEY)

    assert response.get_json()["results"][0]["errors"] == {"agent_code": ["is not an agent that this app submits for"]}


def test_payer_of_another_name_is_kept_sealed(front: Front, database: Database) -> None:
    """Payer and insured are two persons; neither lies in clear."""
    payer = {"name": "缴费乙测试", "id_type": "passport", "id_number": "TESTPAYER01"}

    assert ["accepted"] == outcomes(submit(front, a_record(payer=payer)))
    assert b"TESTPAYER01" not in database.everything()


# --- reading again ----------------------------------------------------------------------------------------------------


def test_collections_are_listed_newest_first_by_page_state_and_batch(front: Front) -> None:
    """An app sees its own."""
    batch = submit(front, a_record(1), a_record(2), a_record(3, collected_on="2026-01-01")).get_json()
    later = submit(front, a_record(4)).get_json()
    ids = [line["collection_id"] for line in [*batch["results"], *later["results"]]][::-1]

    def listed(query: str, credential: str = VILLAGE_KEY) -> tuple[list[str], str | None]:
        page = front.get(f"/v1/collections{query}", credential=credential).get_json()
        return [one["collection_id"] for one in page["collections"]], page["next_cursor"]

    assert listed("") == (ids, None)
    assert listed("?limit=3") == (ids[:3], ids[2])
    assert listed(f"?limit=3&cursor={ids[2]}") == (ids[3:], None)
    assert listed("?state=review") == ([ids[1]], None)
    assert listed(f"?batch_id={batch['batch_id']}") == (ids[1:], None)
    assert listed("", API_KEY) == ([], None)
    assert problem(front.get("/v1/collections?state=lost", credential=VILLAGE_KEY)) == (422, "invalid_request")


def test_collection_is_read_by_its_app_alone_and_shows_no_person(front: Front) -> None:
    """Its code and proof number are what people talk about."""
    line = submit(front, a_record()).get_json()["results"][0]
    path = f"/v1/collections/{line['collection_id']}"
    shown = front.get(path, credential=VILLAGE_KEY).get_json()

    assert (shown["agent_code"], shown["proof_no"], shown["state"]) == (VILLAGE.code, "T-0001", "accepted")
    assert (shown["order_id"], shown["payment_id"]) == (line["order_id"], line["payment_id"])
    assert "insured" not in shown
    assert problem(front.get(path, credential=API_KEY)) == (404, "not_found")
    assert problem(front.get("/v1/collections/col_x", credential=VILLAGE_KEY)) == (404, "not_found")


def test_money_of_an_agent_is_not_refunded_here(front: Front) -> None:
    """It goes back where it was paid."""
    order_id = submit(front, a_record()).get_json()["results"][0]["order_id"]
    body = {"client_refund_no": "R-1", "note": "退保"}
    response = front.post(f"/v1/orders/{order_id}/refunds", body, credential=VILLAGE_KEY)

    assert problem(response) == (409, "refund_offline_only")


def test_open_questions_are_a_metric_by_kind(front: Front) -> None:
    """Somebody should look."""
    submit(front, a_record(1, collected_on="2026-01-01"), a_record(2, collected_on="2026-01-01"))
    text = front.client.get("/metrics").text

    assert 'jiaofei_reviews_open{kind="record_late"} 2.0' in text
    assert 'jiaofei_reviews_open{kind="premium_paid_twice"} 0.0' in text


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("header", [HEADER, TITLES], ids=["names", "titles"])
@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "gb18030", "gbk"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_file_is_the_same_records_as_the_json(
    front: Front, database: Database, header: str, charset: str, end: str
) -> None:
    """With and without BOM, in both charsets, from any spreadsheet: the record is the one that JSON sends."""
    raw = end.join([header, csv_row(1), csv_row(2, collected_on="2026/3/1"), ""]).encode(charset)
    response = submit_csv(front, raw, charset=charset.removesuffix("-sig"))

    assert ["accepted", "accepted"] == outcomes(response)
    assert [2, 3] == [line["line"] for line in response.get_json()["results"]]
    assert ["duplicate", "duplicate"] == outcomes(submit(front, a_record(1), a_record(2)))
    assert database.rows("SELECT count(*) FROM orders") == [(2,)]


CSV_FAULTS: dict[str, tuple[str, str]] = {
    "too_few_cells": ("a,b,c", "line"),
    "too_many_cells": (csv_row() + ",", "line"),
    "open_quote": ('"' + csv_row(), "line"),
    "text_behind_a_quote": (csv_row(proof_no='"T"x'), "line"),
    "too_long": (csv_row(name="甲" * 2000), "line"),
    "amount_in_words": (csv_row(amount_yuan="三百八"), "amount_yuan"),
    "amount_with_thousands": (csv_row(amount_yuan='"1,380.01"'), "amount_yuan"),
    "amount_of_three_decimals": (csv_row(amount_yuan="380.011"), "amount_yuan"),
    "amount_blank": (csv_row(amount_yuan=""), "amount_yuan"),
    "amount_formula": (csv_row(amount_yuan="=380.01"), "amount_yuan"),
    "amount_zero": (csv_row(amount_yuan="0.00"), "amount_yuan"),
    "year_full_width": (csv_row(insured_year="２０２６"), "insured_year"),
    "day_of_no_calendar": (csv_row(collected_on="2026/13/1"), "collected_on"),
    "number_of_a_spreadsheet": (csv_row(id_number="3.401E+17"), "id_number"),
    "id_type_unknown": (csv_row(id_type="军官证"), "id_type"),
    "name_blank": (csv_row(name=""), "name"),
}


@pytest.mark.parametrize(("row", "field"), CSV_FAULTS.values(), ids=CSV_FAULTS)
def test_bad_line_of_a_file_stops_no_other(front: Front, row: str, field: str) -> None:
    """Not even an open quote: a line is a line."""
    response = submit_csv(front, "\n".join([HEADER, row, csv_row(7), ""]))

    assert ["invalid", "accepted"] == outcomes(response)
    assert [field] == list(response.get_json()["results"][0]["errors"])


def test_blank_lines_of_a_file_are_passed_over(front: Front) -> None:
    """Line numbers are the file's own."""
    response = submit_csv(front, f"{HEADER}\n\n,,,,,,,,,,\n{csv_row(1)}")

    assert [(4, "accepted")] == [(line["line"], line["outcome"]) for line in response.get_json()["results"]]


UNREADABLE: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "utf-8"),
    "no_header": (csv_row().encode(), "utf-8"),
    "header_in_other_order": (",".join(reversed(HEADER.split(","))).encode(), "utf-8"),
    "gb18030_declared_as_utf_8": (f"{HEADER}\n{csv_row()}".encode("gb18030"), "utf-8"),
    "broken_at_the_end": (f"{HEADER}\n{csv_row()}\n".encode() + b"\xff", "utf-8"),
    "utf_16": (f"{HEADER}\n".encode("utf-16"), "utf-8"),
    "spreadsheet_itself": (b"PK\x03\x04\x14\x00\x06\x00", "utf-8"),
}


@pytest.mark.parametrize(("raw", "charset"), UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable_file_is_refused_whole(front: Front, database: Database, raw: bytes, charset: str) -> None:
    """Lines before the place that cannot be read are not taken in either."""
    assert problem(submit_csv(front, raw, charset=charset)) == (400, "malformed_request")
    assert database.rows("SELECT count(*) FROM collections") == [(0,)]


def test_same_file_declared_in_another_charset_is_another_request(front: Front) -> None:
    """It reads as other people: the first answer must not stand for it."""
    row = csv_row(1, method="cash", insurance_kind="resident_medical", name="测试", id_type="resident_id")
    raw = f"{HEADER}\n{row}".encode()
    assert ["accepted"] == outcomes(submit_csv(front, raw, charset="gb18030", key="one-key"))

    assert problem(submit_csv(front, raw, charset="utf-8", key="one-key")) == (422, "idempotency_key_reused")


def test_file_of_unknown_charset_or_type_gets_415(front: Front) -> None:
    """The declared charset decides; nothing is guessed."""
    headers = {"Content-Type": "text/plain"}

    assert problem(submit_csv(front, HEADER, charset="big5")) == (415, "unsupported_media_type")
    wrong = front.post("/v1/collections/csv", HEADER.encode(), credential=VILLAGE_KEY, headers=headers)
    assert problem(wrong) == (415, "unsupported_media_type")


def test_file_with_too_many_lines_gets_413(front: Front) -> None:
    """It is to be split; nothing of it is taken in."""
    assert problem(submit_csv(front, "\n".join([HEADER, *["x"] * 2001]))) == (413, "body_too_large")
    assert ["invalid"] * 2000 == outcomes(submit_csv(front, "\n".join([HEADER, *["x"] * 2000]), query="?preview=true"))


def test_file_is_previewed_and_repeated_like_json(front: Front) -> None:
    """Preview by query; the key's meaning is the file."""
    text = f"{HEADER}\n{csv_row(1)}\n"
    foreseen = submit_csv(front, text, query="?preview=true", key="k-1")
    first, again = (submit_csv(front, text, key="k-1") for _ in range(2))

    assert (["accepted"], True) == (outcomes(foreseen), foreseen.get_json()["preview"])
    assert (again.data, again.headers["Idempotency-Replayed"]) == (first.data, "true")
    assert problem(submit_csv(front, text + csv_row(2), key="k-1")) == (422, "idempotency_key_reused")
