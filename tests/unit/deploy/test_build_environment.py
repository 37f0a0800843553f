"""deploy/hdinsight/build-environment up to where it needs the network."""

from __future__ import annotations

import pytest


@pytest.fixture
def build(node, deploy):
    def run(*arguments):
        return node.run(deploy / "hdinsight" / "build-environment", *map(str, arguments), TMPDIR=str(node.folder))

    return run


def test_help(build):
    assert build("--help").stdout.startswith("usage: deploy/hdinsight/build-environment PYTHON_FOLDER ARCHIVE.tar.gz")


def test_usage(build):
    ended = build("only one")
    assert ended.returncode == 2
    assert ended.stderr.startswith("usage:")


def test_folder_without_python(build, node):
    ended = build(node.folder, node.folder / "x.tar.gz")
    assert ended.returncode == 1
    assert ended.stderr.startswith(
        f"sparksweep: no bin/python3.10 in {node.folder}; see deploy/hdinsight/build-environment"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("exit 127", "{0}/bin/python3.10 does not run from another folder"),
        ("echo /usr", "{0} cannot be moved: a copy of it still uses /usr"),
    ],
)
def test_python_that_cannot_be_moved(build, node, text, message):
    source = node.folder / "python home"
    (source / "bin").mkdir(parents=True)
    node.add_program("python3.10", text).rename(source / "bin" / "python3.10")
    ended = build(source, node.folder / "x.tar.gz")
    assert ended.returncode == 1
    assert ended.stderr == f"sparksweep: {message.format(source)}\n"
    assert not list(node.folder.glob("sparksweep-environment.*")), "nothing is left behind"
    assert not (node.folder / "x.tar.gz").exists()
