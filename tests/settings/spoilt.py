"""Every way to spoil one place of the valid configuration, and the one fault that must come of it."""

from gateway.domain.entry import ENTRY_KINDS
from tests.settings.configuration import ACCOUNT, APP, CANARY, DATA_KEY, DIGEST_A

REFERENCE = 'must be a reference, "file:…" or "env:…"'
KEY = "must be 32 bytes in base64"
SPOILT = {
    # id: (text of the valid configuration, what stands there instead, the one fault)
    "database_missing": ('database_url = "sqlite:///orders.db"\n', "", "gateway.database_url: is missing"),
    "database_other_engine": (
        "sqlite:///orders.db",
        "mysql://db.example.test/jf",
        "gateway.database_url: must be sqlite:///<path> or postgresql://<host>/<database>",
    ),
    "database_number": (
        '"sqlite:///orders.db"',
        "5",
        "gateway.database_url: must be sqlite:///<path> or postgresql://<host>/<database>",
    ),
    "database_without_name": (
        "sqlite:///orders.db",
        "postgresql://db.example.test",
        "gateway.database_url: must be sqlite:///<path> or postgresql://<host>/<database>",
    ),
    "database_bad_port": (
        "sqlite:///orders.db",
        "postgresql://db.example.test:x/jf",
        "gateway.database_url: must be sqlite:///<path> or postgresql://<host>/<database>",
    ),
    "database_in_memory": (
        "sqlite:///orders.db",
        "sqlite:///:memory:",
        "gateway.database_url: must name a file: a database in memory keeps nothing",
    ),
    "database_password_in_clear": (
        "sqlite:///orders.db",
        f"postgresql://u:{CANARY}@db.example.test/jf",
        f"gateway.database_url: holds a password, so it {REFERENCE}",
    ),
    "database_password_in_the_query": (
        "sqlite:///orders.db",
        f"postgresql://db.example.test/jf?password={CANARY}",
        f"gateway.database_url: holds a password, so it {REFERENCE}",
    ),
    "public_url_other_scheme": (
        "https://pay.example.test",
        "ftp://pay.example.test",
        "gateway.public_base_url: must be http://… or https://…, without user, query and fragment",
    ),
    "public_url_with_user": (
        "https://pay.example.test",
        f"https://u:{CANARY}@pay.example.test",
        "gateway.public_base_url: must be http://… or https://…, without user, query and fragment",
    ),
    "public_url_with_query": (
        "https://pay.example.test",
        "https://pay.example.test?a=b",
        "gateway.public_base_url: must be http://… or https://…, without user, query and fragment",
    ),
    "data_key_in_clear": ("file:keys/data", DATA_KEY, f"gateway.data_keys[0]: {REFERENCE}"),
    "second_data_key_in_clear": ("env:OLD_DATA_KEY", DATA_KEY, f"gateway.data_keys[1]: {REFERENCE}"),
    "data_keys_none": (
        '["file:keys/data", "env:OLD_DATA_KEY"]',
        "[]",
        "gateway.data_keys: must have 1 to 8 entries",
    ),
    "data_keys_not_a_list": (
        '["file:keys/data", "env:OLD_DATA_KEY"]',
        '"file:keys/data"',
        "gateway.data_keys: must be a list",
    ),
    "index_key_in_clear": ("file:keys/index", DATA_KEY, f"gateway.index_key: {REFERENCE}"),
    "token_key_in_clear": ("file:keys/token", DATA_KEY, f"gateway.token_key: {REFERENCE}"),
    "key_too_short": ("file:keys/token", "env:APIV3_KEY", f"gateway.token_key: {KEY}"),
    "variable_missing": (
        "env:OLD_DATA_KEY",
        "env:ABSENT",
        "gateway.data_keys[1]: environment variable ABSENT is not set",
    ),
    "variable_empty": ("env:OLD_DATA_KEY", "env:EMPTY", "gateway.data_keys[1]: environment variable EMPTY is not set"),
    "variable_without_name": (
        "env:APIV3_KEY",
        "env:",
        "accounts.city.apiv3_key: does not name an environment variable after env:",
    ),
    "variable_with_a_secret_for_a_name": (
        "env:APIV3_KEY",
        f"env:{CANARY}",
        "accounts.city.apiv3_key: does not name an environment variable after env:",
    ),
    "file_without_name": ("env:APIV3_KEY", "file:", "accounts.city.apiv3_key: does not name a file after file:"),
    "file_missing": ("env:APIV3_KEY", "file:absent", "accounts.city.apiv3_key: file {folder}/absent is missing"),
    "file_is_a_folder": (
        "env:APIV3_KEY",
        "file:keys",
        "accounts.city.apiv3_key: file {folder}/keys is not a plain file",
    ),
    "file_is_a_pipe": ("env:APIV3_KEY", "file:pipe", "accounts.city.apiv3_key: file {folder}/pipe is not a plain file"),
    "file_empty": ("env:APIV3_KEY", "file:empty", "accounts.city.apiv3_key: file {folder}/empty is empty"),
    "file_binary": ("env:APIV3_KEY", "file:binary", "accounts.city.apiv3_key: file {folder}/binary is not UTF-8 text"),
    "file_too_long": (
        "env:APIV3_KEY",
        "file:long",
        "accounts.city.apiv3_key: file {folder}/long is longer than 65536 bytes",
    ),
    "deep_reference_missing": (
        'mchid = "1900000001"',
        'deep = { list = ["a", "env:ABSENT"] }',
        "accounts.city.deep.list[1]: environment variable ABSENT is not set",
    ),
    "ttl_text": (
        APP,
        f'order_ttl_seconds = "7200"\n{APP}',
        "gateway.order_ttl_seconds: must be a whole number, 60 to 604800",
    ),
    "ttl_too_short": (
        APP,
        f"order_ttl_seconds = 59\n{APP}",
        "gateway.order_ttl_seconds: must be a whole number, 60 to 604800",
    ),
    "ttl_too_long": (
        APP,
        f"order_ttl_seconds = 604801\n{APP}",
        "gateway.order_ttl_seconds: must be a whole number, 60 to 604800",
    ),
    "payment_ttl_too_short": (
        APP,
        f"payment_ttl_seconds = 119\n{APP}",
        "gateway.payment_ttl_seconds: must be a whole number, 120 to 604800",
    ),
    "proxies_true": (APP, f"trusted_proxies = true\n{APP}", "gateway.trusted_proxies: must be a whole number, 0 to 8"),
    "body_fraction": (
        APP,
        f"body_bytes_max = 65536.5\n{APP}",
        "gateway.body_bytes_max: must be a whole number, 8192 to 1048576",
    ),
    "bare_callbacks_number": (APP, f"bare_callbacks = 1\n{APP}", "gateway.bare_callbacks: must be true or false"),
    "log_level_unknown": (
        APP,
        f'log_level = "loud"\n{APP}',
        "gateway.log_level: must be debug, info, warning or error",
    ),
    "gateway_key_unknown": (APP, f'data_key = "{CANARY}"\n{APP}', "gateway.data_key: is not a known key"),
    "table_unknown": (APP, f"{APP}[shops.demo]\na = 1\n", "shops: is not a known table"),
    "app_key_unknown": ('entry = "', 'webhook = "https://a.test"\nentry = "', "apps.demo.webhook: is not a known key"),
    "app_name": ("[apps.demo]", "[apps.Demo]", "apps.Demo: the name must match [a-z][a-z0-9_-]{{0,31}}"),
    "entry_missing": ('entry = "mini_program"\n', "", "apps.demo.entry: is missing"),
    "entry_not_a_word": (
        "mini_program",
        "mini program",
        f"apps.demo.entry: must be one of {', '.join(ENTRY_KINDS)}",
    ),
    "api_key_in_clear": (
        f"sha256:{DIGEST_A}",
        CANARY,
        'apps.demo.api_keys[0]: must be "sha256:" and 64 lower-case hex digits',
    ),
    "api_key_digest_too_long": (
        DIGEST_A,
        DIGEST_A + "a",
        'apps.demo.api_keys[0]: must be "sha256:" and 64 lower-case hex digits',
    ),
    "api_key_digest_with_line_end": (
        DIGEST_A,
        DIGEST_A + "\\n",
        'apps.demo.api_keys[0]: must be "sha256:" and 64 lower-case hex digits',
    ),
    "api_keys_none": (f'["sha256:{DIGEST_A}"]', "[]", "apps.demo.api_keys: must have 1 to 2 entries"),
    "api_keys_three": (
        f'"sha256:{DIGEST_A}"',
        ", ".join(f'"sha256:{digit * 64}"' for digit in "abc"),
        "apps.demo.api_keys: must have 1 to 2 entries",
    ),
    "api_key_twice_in_one_app": (
        f'"sha256:{DIGEST_A}"',
        f'"sha256:{DIGEST_A}", "sha256:{DIGEST_A}"',
        "apps.demo.api_keys[1]: is the same key as apps.demo.api_keys[0]",
    ),
    "api_key_of_another_app": (
        APP,
        f"{APP}{APP.replace('demo', 'other')}",
        "apps.other.api_keys[0]: is the same key as apps.demo.api_keys[0]",
    ),
    "signing_secret_in_clear": (
        'entry = "',
        f'signing_secret = "{CANARY}"\nentry = "',
        f"apps.demo.signing_secret: {REFERENCE}",
    ),
    "signing_secret_too_short": (
        'entry = "',
        'signing_secret = "env:SHORT"\nentry = "',
        "apps.demo.signing_secret: must have 16 characters or more",
    ),
    "app_region": (
        'entry = "',
        'regions = ["341000", "3410"]\nentry = "',
        "apps.demo.regions[1]: must be an administrative division, 6 digits in quotes",
    ),
    "app_region_number": (
        'entry = "',
        'regions = [341000]\nentry = "',
        "apps.demo.regions[0]: must be an administrative division, 6 digits in quotes",
    ),
    "app_region_full_width": (
        'entry = "',
        'regions = ["３４１０００"]\nentry = "',
        "apps.demo.regions[0]: must be an administrative division, 6 digits in quotes",
    ),
    "app_method_without_provider": (
        'entry = "',
        'methods = ["jsapi", "alipay.wap"]\nentry = "',
        "apps.demo.methods[0]: must be <provider>.<method>",
    ),
    "app_method_of_absent_provider": (
        'entry = "',
        'methods = ["wechatpay.mini_program", "otherpay.wap"]\nentry = "',
        "apps.demo.methods[1]: names a provider that no account has",
    ),
    "app_method_that_cannot_work_in_its_entry": (
        'entry = "',
        'methods = ["wechatpay.mini_program", "wechatpay.h5"]\nentry = "',
        "apps.demo.methods[1]: cannot work in an entry of the kind mini_program (微信小程序)",
    ),
    "app_method_in_an_entry_that_starts_no_payment": (
        'entry = "mini_program"',
        'entry = "tax_side"\nmethods = ["wechatpay.native"]',
        "apps.demo.methods[0]: cannot work in an entry of the kind tax_side (税务侧（只报送缴费记录）)",
    ),
    "app_is_not_a_table": (APP, "[apps]\ndemo = 5\n", "apps.demo: must be a table"),
    "apps_is_a_list": (APP, "[[apps]]\na = 1\n", "apps: must hold tables"),
    "account_name": (
        "[accounts.city]",
        '[accounts."city hall"]',
        "accounts.city hall: the name must match [a-z][a-z0-9_-]{{0,31}}",
    ),
    "provider_missing": ('provider = "wechatpay"\n', "", "accounts.city.provider: is missing"),
    "provider_not_a_word": (
        "wechatpay",
        "WeChat Pay",
        "accounts.city.provider: must be a word of lower-case letters, digits and _",
    ),
    "account_region": (
        "mchid =",
        'regions = ["34100x"]\nmchid =',
        "accounts.city.regions[0]: must be an administrative division, 6 digits in quotes",
    ),
    "callback_network": (
        "mchid =",
        'callback_networks = ["203.0.113.1/24"]\nmchid =',
        "accounts.city.callback_networks[0]: must be a network such as 203.0.113.0/24, its host bits zero",
    ),
    "connect_seconds_zero": (
        "mchid =",
        "connect_seconds = 0\nmchid =",
        "accounts.city.connect_seconds: must be a number of seconds, above 0 and at most 30",
    ),
    "answer_seconds_too_long": (
        "mchid =",
        "answer_seconds = 60.1\nmchid =",
        "accounts.city.answer_seconds: must be a number of seconds, above 0 and at most 60",
    ),
    "answer_seconds_not_a_number": (
        "mchid =",
        "answer_seconds = nan\nmchid =",
        "accounts.city.answer_seconds: must be a number of seconds, above 0 and at most 60",
    ),
    "connections_none": (
        "mchid =",
        "connections_max = 0\nmchid =",
        "accounts.city.connections_max: must be a whole number, 1 to 1000",
    ),
    "ca_file_missing": (
        "mchid =",
        'ca_file = "absent.pem"\nmchid =',
        "accounts.city.ca_file: file {folder}/absent.pem has no readable PEM certificates",
    ),
    "ca_file_not_pem": (
        "mchid =",
        'ca_file = "keys/data"\nmchid =',
        "accounts.city.ca_file: file {folder}/keys/data has no readable PEM certificates",
    ),
    "proxy_without_port": (
        "mchid =",
        'proxy = "http://proxy.example.test"\nmchid =',
        "accounts.city.proxy: must be http://<host>:<port> or https://<host>:<port>",
    ),
    "proxy_password_in_clear": (
        "mchid =",
        f'proxy = "http://u:{CANARY}@proxy.example.test:3128"\nmchid =',
        f"accounts.city.proxy: holds a password, so it {REFERENCE}",
    ),
    "second_default_of_a_provider": (
        ACCOUNT,
        f"{ACCOUNT}{ACCOUNT.replace('city', 'county')}",
        "accounts.county.regions: names none, and so does accounts.city of the same provider",
    ),
    "region_of_another_account": (
        ACCOUNT,
        f'{ACCOUNT}regions = ["341000"]\n{ACCOUNT.replace("city", "county")}regions = ["341021", "341000"]\n',
        "accounts.county.regions: 341000 is also served by accounts.city of the same provider",
    ),
}
