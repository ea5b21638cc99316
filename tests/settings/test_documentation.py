"""docs/configuration.md says what the code does."""

import re
from pathlib import Path

import pytest
from marshmallow import Schema

from schemas.config import account_schema, app_schema, gateway_schema
from tests.settings.configuration import CANARY, DATA_KEY, Configuration

PAGE = (Path(__file__).parents[2] / "docs/configuration.md").read_text()
AUTHORITY = (Path(__file__).parent / "authority.pem").read_text()


@pytest.mark.parametrize(
    ("heading", "schema"),
    [
        pytest.param("## `[gateway]`", gateway_schema, id="gateway"),
        pytest.param("## `[apps.<name>]`", app_schema, id="apps"),
        pytest.param("## `[accounts.<name>]`", account_schema, id="accounts"),
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
    }

    settings = configuration.load(example)

    keys = {*gateway_schema.fields, *app_schema.fields, *account_schema.fields}
    assert {"wechatpay", "wechatpay_county", "alipay"} == settings.accounts.keys()
    assert [key for key in sorted(keys) if re.search(rf"^{key} = ", example, re.MULTILINE) is None] == []
