"""`collections` and `reviews`: files of collected records, and the questions that came of them."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.settings import Settings
from gateway.store import Store
from schemas.collection_csv import safe_cell
from tests.cli.conftest import Jiaofei
from tests.settings.configuration import DIGEST_B, VALID, Configuration
from tests.support.collecting import TODAY, VILLAGE, record, take, with_agents
from tests.support.databases import Database
from tests.support.world import World, subject

HEADER = "agent_code,proof_no,collected_on,method,amount_yuan,region,insured_year,insurance_kind,name,id_type,id_number"
ROW = f"{VILLAGE.code},T-0001,{TODAY},现金,380.01,340100,2026,城乡居民医保,测试甲,passport,TEST0001"
OTHER = f"{VILLAGE.code},T-0002,2026-01-01,cash,380.01,340100,2026,resident_medical,测试乙,passport,TEST0002"
AGENT = f"""\
[agents.{VILLAGE.name}]
code = "{VILLAGE.code}"
title = "测试村"
kind = "village"
apps = ["village"]
"""
APP = f"""\
[apps.village]
entry = "collector"
api_keys = ["sha256:{DIGEST_B}"]
"""


@pytest.fixture
def engine() -> str:
    """The commands use nothing that differs."""
    return "sqlite"


@pytest.fixture
def world(store: Store) -> World:
    return with_agents(World(store))


@pytest.fixture
def path(tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration with an agent, over the tests' database and clock."""
    configuration = Configuration(tmp_path)
    for name, value in configuration.environ.items():
        monkeypatch.setenv(name, value)

    @contextmanager
    def opened(_settings: Settings) -> Iterator[SimpleNamespace]:
        yield world

    for module in ("collected", "review_items"):
        monkeypatch.setattr(f"gateway.cli.{module}.opened_world", opened)
    return configuration.write("gateway.toml", f"{VALID}\n{APP}\n{AGENT}")


def _file(path: Path, *rows: str, charset: str = "utf-8") -> str:
    file = path.parent / "records.csv"
    file.write_bytes("\n".join([HEADER, *rows, ""]).encode(charset))
    return str(file)


def _import(jiaofei: Jiaofei, path: Path, *more: str, who: str | None = "tester") -> Any:
    by = ("--who", who) if who else ()
    return jiaofei("collections", "import", *more, "--app", "village", *by, configuration=path)


def test_import_prints_each_line_and_repeats_without_doubles(path: Path, jiaofei: Jiaofei, database: Database) -> None:
    """Broken off or run twice: what was taken in is a duplicate."""
    file = _file(path, ROW, OTHER)
    first, again = _import(jiaofei, path, file), _import(jiaofei, path, file)

    assert (first.exit_code, again.exit_code) == (0, 0)
    assert [line.split()[:2] for line in first.stdout.splitlines()] == [
        ["LINE", "OUTCOME"],
        ["2", "accepted"],
        ["3", "review"],
    ]
    assert first.stderr == "1 accepted, 0 duplicate, 1 review, 0 invalid\n"
    assert again.stderr == "0 accepted, 2 duplicate, 0 review, 0 invalid\n"
    assert database.rows("SELECT count(*) FROM orders") == [(1,)]
    assert database.rows("SELECT DISTINCT actor FROM events") == [("operator:tester",)]


def test_dry_run_tells_what_would_be_and_changes_nothing(path: Path, jiaofei: Jiaofei, database: Database) -> None:
    """No name is needed for looking."""
    result = _import(jiaofei, path, _file(path, ROW, ROW, OTHER, "x"), "--dry-run", "--json", who=None)
    document = json.loads(result.stdout)

    assert result.exit_code == 1
    assert document["preview"] is True
    assert [(line["line"], line["outcome"]) for line in document["results"]] == [
        (2, "accepted"),
        (3, "duplicate"),
        (4, "review"),
        (5, "invalid"),
    ]
    assert document["counts"] == {"accepted": 1, "duplicate": 1, "review": 1, "invalid": 1}
    assert database.rows("SELECT count(*) FROM collections") == [(0,)]


def test_import_as_csv_is_readable_and_holds_no_formula(path: Path, jiaofei: Jiaofei) -> None:
    """A spreadsheet may open it."""
    bad = ROW.replace("T-0001", "=cmd|' /C calc'!A0")
    result = _import(jiaofei, path, _file(path, bad, ROW), "--csv")
    rows = list(csv.reader(io.StringIO(result.stdout)))

    assert [row[:2] for row in rows] == [["line", "outcome"], ["2", "invalid"], ["3", "accepted"]]
    assert "calc" not in result.stdout
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]


@pytest.mark.parametrize(
    ("cell", "safe"),
    [
        pytest.param("=1+1", "'=1+1", id="formula"),
        pytest.param("+1", "'+1", id="plus"),
        pytest.param("-1", "'-1", id="minus"),
        pytest.param("@SUM(A1)", "'@SUM(A1)", id="at"),
        pytest.param("\t=1", "'\t=1", id="tab"),
        pytest.param("a=1", "a=1", id="not_at_the_beginning"),
        pytest.param(None, "", id="none"),
        pytest.param(7, "7", id="number"),
    ],
)
def test_cell_of_a_result_is_no_formula(cell: object, safe: str) -> None:
    """Whatever an error may one day quote."""
    assert safe_cell(cell) == safe


@pytest.mark.parametrize("charset", ["utf-8-sig", "gb18030"])
def test_import_reads_the_declared_charset(path: Path, jiaofei: Jiaofei, charset: str) -> None:
    """As an office's spreadsheet writes it."""
    file = _file(path, ROW, charset=charset)
    result = _import(jiaofei, path, file, "--charset", charset.removesuffix("-sig"))

    assert result.stderr.startswith("1 accepted")


def test_unreadable_file_is_refused_before_its_first_line(path: Path, jiaofei: Jiaofei, database: Database) -> None:
    """A byte at its end that is no text: the good lines before it are not taken in."""
    file = _file(path, ROW)
    Path(file).write_bytes(Path(file).read_bytes() + b"\xff\xfe")
    result = _import(jiaofei, path, file)

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: nothing was taken in: the file is not utf-8 text\n"
    assert database.rows("SELECT count(*) FROM collections") == [(0,)]


MISUSES = {
    "nobody": ((), None, "--who is needed"),
    "line_break_in_name": ((), "a\nb", "must be 1 to 64 printable characters"),
    "unknown_charset": (("--charset", "big5"), "tester", "'big5' is not one of"),
}


@pytest.mark.parametrize(("options", "who", "text"), MISUSES.values(), ids=MISUSES)
def test_import_misused_exits_2(
    path: Path, jiaofei: Jiaofei, options: tuple[str, ...], who: str | None, text: str
) -> None:
    """Before anything is read."""
    result = _import(jiaofei, path, _file(path, ROW), *options, who=who)

    assert (result.exit_code, text in result.stderr) == (2, True)


def test_import_for_an_unknown_app_exits_2(path: Path, jiaofei: Jiaofei) -> None:
    """A typing mistake opens no orders."""
    result = jiaofei("collections", "import", _file(path, ROW), "--app", "x", "--who", "y", configuration=path)

    assert (result.exit_code, "is no app of the configuration" in result.stderr) == (2, True)


def test_find_asks_for_the_number_and_shows_the_persons_records(
    path: Path, jiaofei: Jiaofei, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the blind index; the number stands in no argument and no answer."""
    _import(jiaofei, path, _file(path, ROW, OTHER))
    monkeypatch.setattr("click.prompt", lambda *_, **__: " test0001 ")
    result = jiaofei("collections", "find", "--id-type", "passport", "--json", configuration=path)

    assert [one["proof_no"] for one in json.loads(result.stdout)] == ["T-0001"]
    assert "TEST0001" not in result.output


# --- reviews ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def review_id(world: World, path: Path) -> str:
    """A record of a premium that was paid online."""
    world.paid(subject=subject())
    return take(world, record()).review_id or ""


def test_reviews_are_listed_shown_and_resolved(path: Path, jiaofei: Jiaofei, review_id: str) -> None:
    """The whole life of a question, without a person's name in it."""
    listed = json.loads(jiaofei("reviews", "list", "--json", configuration=path).stdout)
    shown = json.loads(jiaofei("reviews", "show", review_id, "--json", configuration=path).stdout)
    resolved = jiaofei(
        "reviews",
        "resolve",
        review_id,
        "--resolution",
        "returned",
        "--who",
        "tester",
        "--note",
        "退现金",
        configuration=path,
    )
    after = json.loads(jiaofei("reviews", "show", review_id, "--json", configuration=path).stdout)

    assert [(one["review_id"], one["kind"], one["state"]) for one in listed] == [
        (review_id, "premium_paid_twice", "open")
    ]
    assert (shown["agent_code"], shown["proof_no"], shown["collected_fen"], shown["note"]) == (
        VILLAGE.code,
        "T-0001",
        38001,
        None,
    )
    assert resolved.stdout == f"{review_id} is resolved: returned\n"
    assert (after["state"], after["resolution"], after["resolved_by"], after["note"], after["collection_state"]) == (
        "resolved",
        "returned",
        "tester",
        "退现金",
        "rejected",
    )
    assert json.loads(jiaofei("reviews", "list", "--json", configuration=path).stdout) == []
    assert review_id in jiaofei("reviews", "list", "--state", "resolved", configuration=path).stdout


def test_resolution_that_is_not_possible_says_why_and_exits_1(path: Path, jiaofei: Jiaofei, review_id: str) -> None:
    """The premium is still paid by the other order."""
    options = ("--resolution", "accepted", "--who", "tester", "--note", "x")
    result = jiaofei("reviews", "resolve", review_id, *options, configuration=path)

    assert (result.exit_code, result.stdout) == (1, "")
    assert "refund that order first" in result.stderr


@pytest.mark.parametrize("command", ["show", "resolve"])
def test_unknown_review_exits_1(path: Path, jiaofei: Jiaofei, command: str) -> None:
    """Scripts can tell."""
    options = ("--resolution", "settled", "--who", "t", "--note", "x") if command == "resolve" else ()
    result = jiaofei("reviews", command, "rev_" + "0" * 32, *options, configuration=path)

    assert (result.exit_code, result.stderr) == (1, "Error: there is no such review item\n")
