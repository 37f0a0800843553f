"""Keep secrets out of what is shown or kept: settings by their names, texts by what follows a telling word."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sparksweep.errors import UsageError

__all__ = ["HIDDEN", "SECRET_NAME", "redact_setting", "redact_settings", "redact_text", "refuse_signature"]

HIDDEN = "***"

SIGNATURE = re.compile(r"[?&]sig=", re.IGNORECASE)
# Names of settings whose values are secret: Spark's own spark.redaction.regex, and Azure's and S3's keys and SAS. Java
# reads it too.
SECRET_NAME = re.compile(
    r"password|passwd|passphrase|secret|token|credential|signature|connection.?string"
    r"|(account|access|shared|storage|private|api|encryption).?key|(^|[._-])sas([._-]|$)",
    re.IGNORECASE,
)
# Secrets within a longer text: NAME=VALUE and NAME: VALUE, a SAS's signature, user:password@ in a URI.
SECRET_IN_TEXT = (
    re.compile(
        r"((?:password|passwd|passphrase|secret|token|credential|(?:account|access|storage|private|api).?key"
        r"|shared.?access.?signature)[\w.-]*[\"']?\s*[=:]\s*[\"']?)[^\s;,&\"']+",
        re.IGNORECASE,
    ),
    re.compile(r"((?:^|[?&;\s\"'])sig=)[^\s&;\"']+", re.IGNORECASE),
    re.compile(r"(://[^/\s:@]+:)[^/\s@]+(?=@)"),
)


def refuse_signature(uri: str) -> None:
    """Refuse an address of Hadoop's with a SAS, which would be part of a name there, to be shown and kept.

    Raises
    ------
    UsageError
        It has one.
    """
    if SIGNATURE.search(uri):
        raise UsageError(
            f"{redact_text(uri)}: a SAS cannot be part of it; leave it out (to read blobs give the address as https, "
            "or set AZURE_STORAGE_SAS_TOKEN)"
        )


def redact_settings(settings: Mapping[str, str]) -> dict[str, str]:
    """Return settings by sorted name, a secret's value as ``***``.

    Parameters
    ----------
    settings : mapping of str to str
        Spark or Hadoop settings by their full names.
    """
    return {name: redact_setting(name, value) for name, value in sorted(settings.items())}


def redact_setting(name: str, value: Any) -> Any:
    """Return the value of a setting with the secrets in it as ``***``.

    Parameters
    ----------
    name : str
        Its full name; where that is a secret's, all of the value is one.
    value : Any
        As YAML has it: texts may be within mappings and lists.
    """
    if SECRET_NAME.search(name):
        return HIDDEN
    if isinstance(value, Mapping):
        return {each: redact_setting(str(each), inner) for each, inner in value.items()}
    if isinstance(value, list):
        return [redact_setting("", inner) for inner in value]
    return redact_text(value) if isinstance(value, str) else value


def redact_text(text: str) -> str:
    """Return a text with the secrets in it as ``***``: passwords, keys, tokens, signatures of SAS addresses."""
    for secret in SECRET_IN_TEXT:
        text = secret.sub(rf"\g<1>{HIDDEN}", text)
    return text
