"""docs/configuration.md says what the code does."""

import re
from pathlib import Path

import pytest
from marshmallow import Schema

from gateway.domain.entry import ENTRY_KINDS, METHOD_SURFACES, works_in
from schemas.config import account_schema, agent_schema, app_schema, gateway_schema, operator_schema
from tests.settings.configuration import CANARY, DATA_KEY, Configuration

PAGE = (Path(__file__).parents[2] / "docs/configuration.md").read_text()
AUTHORITY = (Path(__file__).parent / "authority.pem").read_text()


@pytest.mark.parametrize(
    ("heading", "schema"),
    [
        pytest.param("## `[gateway]`", gateway_schema, id="gateway"),
        pytest.param("## `[apps.<name>]`", app_schema, id="apps"),
        pytest.param("## `[accounts.<name>]`", account_schema, id="accounts"),
        pytest.param("## `[agents.<name>]`", agent_schema, id="agents"),
        pytest.param("## `[operators.<name>]`", operator_schema, id="operators"),
    ],
)
def test_every_key_of_a_table_stands_in_its_section(heading: str, schema: Schema) -> None:
    """No key is undocumented, and none is documented that does not exist."""
    section = PAGE.partition(f"{heading}\n")[2].partition("\n##")[0]

    documented = re.findall(r"^\| `(\w+)`", section, re.MULTILINE)

    assert sorted(schema.fields) == sorted(documented)


def test_complete_example_loads_and_uses_every_common_key(configuration: Configuration) -> None:
    """A reader may copy it."""
    example = PAGE.partition("```toml\n")[2].partition("```")[0]
    for folder in ("secrets", "certificates"):
        (configuration.folder / folder).mkdir()
    for name in re.findall(r'"(?:file:)?((?:secrets|certificates)/[^"]+)"', example):
        configuration.write(name, AUTHORITY if name.endswith(".pem") else DATA_KEY)
    configuration.environ |= {
        "DATABASE_URL": f"postgresql://jiaofei:{CANARY}@db.example.test:5432/jiaofei",
        "OUTWARD_PROXY": f"http://jiaofei:{CANARY}@proxy.example.test:3128",
        "MINI_PROGRAM_SIGNING_SECRET": CANARY,
        "WECHATPAY_APIV3_KEY": CANARY,
        **{f"WEBHOOK_SECRET_{name}": f"whsec_{DATA_KEY}" for name in ("2026", "2025", "COUNTER")},
    }

    settings = configuration.load(example)

    keys = {*gateway_schema.fields, *app_schema.fields, *account_schema.fields, *agent_schema.fields}
    assert {"wechatpay", "wechatpay_county", "alipay"} == settings.accounts.keys()
    assert [key for key in sorted(keys) if re.search(rf"^{key} = ", example, re.MULTILINE) is None] == []


def test_table_of_entries_says_what_can_work_in_each() -> None:
    """Kind, title and methods, as the code has them."""
    section = PAGE.partition("### Kinds of entry\n")[2].partition("\n##")[0]
    documented = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", section, re.MULTILINE)

    assert {kind: title for kind, title, _ in documented} == {kind: entry.title for kind, entry in ENTRY_KINDS.items()}
    for kind, _, methods in documented:
        if methods != "all":
            assert set(re.findall(r"`([\w.]+)`", methods)) == {m for m in METHOD_SURFACES if works_in(kind, m)}
