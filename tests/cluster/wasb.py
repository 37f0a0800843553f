"""Hadoop's wasb on the tests' own Spark session: what a cluster has from its installation, given to a running JVM."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from pyspark.sql import SparkSession
from tests.cluster.azurite import Azurite
from tests.cluster.fault_proxy import FaultProxy

HOST = "blob.core.windows.net"
# Of a fault on the way wasb tries 30 times, after up to 30 s each; these are the same rules, quicker.
QUICK_RETRIES = {
    f"fs.azure.io.{group}retry.{name}": value
    for group in ("", "copyblob.")
    for name, value in (
        ("max.retries", "4"),
        ("min.backoff.interval", "50"),
        ("max.backoff.interval", "200"),
        ("backoff.interval", "50"),
    )
}


def hadoop_settings(azurite: Azurite) -> Mapping[str, str]:
    """Return what a cluster's core-site.xml says of its account."""
    return {f"fs.azure.account.key.{azurite.account}.{HOST}": azurite.key, **QUICK_RETRIES}


def java_settings(proxy: FaultProxy) -> Mapping[str, str]:
    """Return Java's properties with which the account's production address leads to the proxy."""
    return {"http.proxyHost": "127.0.0.1", "http.proxyPort": str(proxy.port), "http.nonProxyHosts": "localhost|127.*"}


def add_wasb(spark: SparkSession, jars: Iterable[Path], azurite: Azurite, proxy: FaultProxy) -> None:
    """Let a session that runs reach Azurite by wasb, through the proxy."""
    jvm = spark._jvm
    loader = jvm.Thread.currentThread().getContextClassLoader()  # spark-submit's, which takes jars at any time
    for jar in jars:
        loader.addURL(jvm.java.net.URL(jar.as_uri()))
    for name, value in java_settings(proxy).items():
        jvm.java.lang.System.setProperty(name, value)
    for name, value in hadoop_settings(azurite).items():
        spark._jsc.hadoopConfiguration().set(name, value)


def write_settings(folder: Path, jars: Iterable[Path], azurite: Azurite, proxy: FaultProxy, **spark: str) -> Path:
    """Write a folder for SPARK_CONF_DIR: the same for a process of its own, as a cluster's installation says it."""
    folder.mkdir()
    options = " ".join(f'"-D{name}={value}"' for name, value in java_settings(proxy).items())
    lines = {"spark.jars": ",".join(map(str, jars)), "spark.driver.extraJavaOptions": options, **spark}
    (folder / "spark-defaults.conf").write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
    known = "".join(
        f"<property><name>{name}</name><value>{value}</value></property>\n"
        for name, value in hadoop_settings(azurite).items()
    )
    (folder / "core-site.xml").write_text(f"<configuration>\n{known}</configuration>\n")
    return folder


def wasb_address(azurite: Azurite, container: str, path: str) -> str:
    """Return an address in the form that production has."""
    return f"wasb://{container}@{azurite.account}.{HOST}/{path}"
