"""Secrets in settings and texts become stars, the rest stays."""

from __future__ import annotations

import pytest

from sparksweep.storage import redact_settings, redact_text

MARK = "5EcReT"


@pytest.mark.parametrize(
    "name",
    [
        "spark.hadoop.fs.azure.account.key.acct.blob.core.windows.net",
        "spark.hadoop.fs.azure.sas.container.acct.blob.core.windows.net",
        "spark.hadoop.fs.azure.account.oauth2.client.secret",
        "spark.hadoop.fs.s3a.access.key",
        "spark.hadoop.fs.s3a.secret.key",
        "spark.ssl.keyStorePassword",
        "spark.authenticate.secret",
        "spark.executorEnv.AZURE_STORAGE_CONNECTION_STRING",
        "spark.executorEnv.MY_TOKEN",
        "spark.executorEnv.AZURE_STORAGE_SAS",
        "spark.executorEnv.API_KEY",
    ],
)
def test_secret_settings(name):
    assert redact_settings({name: MARK}) == {name: "***"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("spark.app.name", "sparksweep demo"),
        ("spark.master", "local[2]"),
        ("spark.sql.session.timeZone", "UTC"),
        ("spark.hadoop.fs.azure.account.auth.type", "SharedKey"),
        ("spark.sql.join.preferSortMergeJoin", "true"),
    ],
)
def test_plain_settings_stay(name, value):
    assert redact_settings({name: value}) == {name: value}


def test_settings_are_sorted_by_name():
    assert list(redact_settings({"b": "1", "a": "2"})) == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"-Dmy.password={MARK} -Xmx1g", "-Dmy.password=*** -Xmx1g"),
        (f"https://a.net/c?sv=1&sig={MARK}&se=2", "https://a.net/c?sv=1&sig=***&se=2"),
        (f"AccountName=a;AccountKey={MARK}==;EndpointSuffix=x", "AccountName=a;AccountKey=***;EndpointSuffix=x"),
        (f"https://user:{MARK}@host/x", "https://user:***@host/x"),
        (f'{{"token": "{MARK}"}}', '{"token": "***"}'),
        (f"SharedAccessSignature={MARK}", "SharedAccessSignature=***"),
        ("wasbs://container@account.blob.core.windows.net/x", "wasbs://container@account.blob.core.windows.net/x"),
        ("2026-11-23T10:00:00Z: colsample=0.5", "2026-11-23T10:00:00Z: colsample=0.5"),
    ],
)
def test_secrets_within_texts(text, shown):
    assert redact_text(text) == shown


def test_a_secret_within_a_plain_setting():
    settings = {"spark.driver.extraJavaOptions": f"-Djavax.net.ssl.trustStorePassword={MARK}"}
    assert MARK not in str(redact_settings(settings))
