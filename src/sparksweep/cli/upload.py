"""``sparksweep upload``: event logs' zips into a blob container."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sparksweep.cli.console import say
from sparksweep.cli.transfer_progress import transfer_progress

__all__ = ["upload"]


def upload(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the zips.")],
    uri: Annotated[
        str,
        typer.Argument(
            metavar="URI", help="Folder in a container, as wasbs://, abfss:// or https://ACCOUNT.blob.core.windows.net."
        ),
    ],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace blobs of these names that hold something else.")
    ] = False,
    schema: Annotated[
        str | None,
        typer.Option(
            "--schema", metavar="FILE", help="Schema of your own event logs, in place of TalkingData's seven."
        ),
    ] = None,
) -> None:
    """Put event logs' zips into a container; what is there already is not sent again, also not after an interrupt.

    Logs in by AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING, a service principal's
    variables, the file that SPARKSWEEP_SECRETS_FILE names, or az login.
    """
    from sparksweep.pipeline.upload import upload_archives

    with transfer_progress("upload") as on_progress:
        upload_archives(folder, uri, overwrite, say, on_progress, schema)
