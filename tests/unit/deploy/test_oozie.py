"""deploy/oozie against Oozie's own schemas, and against what these do not see: variables, transitions, arguments."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from lxml import etree

SCHEMAS = Path(__file__).with_name("oozie-xsd")
NAMESPACES = {"w": "uri:oozie:workflow:1.0", "s": "uri:oozie:shell-action:1.0", "c": "uri:oozie:coordinator:0.5"}


@pytest.fixture(scope="module")
def oozie(deploy):
    return deploy / "oozie"


@pytest.fixture(scope="module")
def workflow(oozie):
    return etree.parse(oozie / "workflow.xml")


@pytest.fixture(scope="module")
def coordinator(oozie):
    return etree.parse(oozie / "coordinator.xml")


@pytest.fixture(scope="module")
def schema():
    """One schema that imports all, since actions are checked strictly by a namespace of their own."""
    files = {
        "uri:oozie:workflow:1.0": "oozie-workflow-1.0.xsd",
        "uri:oozie:shell-action:1.0": "shell-action-1.0.xsd",
        "uri:oozie:coordinator:0.5": "oozie-coordinator-0.5.xsd",
    }
    imports = "".join(
        f'<xs:import namespace="{name}" schemaLocation="{(SCHEMAS / file).as_uri()}"/>' for name, file in files.items()
    )
    text = f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema">{imports}</xs:schema>'
    return etree.XMLSchema(etree.fromstring(text))


def read_properties(oozie):
    """Return job.properties with its references to one another replaced."""
    lines = (oozie / "job.properties").read_text().splitlines()
    pairs = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    resolved: dict[str, str] = {}
    for key, value in pairs.items():
        resolved[key] = re.sub(r"\$\{(\w+)\}", lambda found: resolved[found[1]], value)
    return resolved


def variables(text):
    """Return the names that Oozie looks up in the properties: what stands in ${} and is no function."""
    expressions = re.findall(r"\$\{([^}]*)\}", text)
    return {each for each in expressions if re.fullmatch(r"[\w.]+", each)}


@pytest.mark.parametrize("name", ["workflow.xml", "coordinator.xml"])
def test_file_is_valid(oozie, schema, name):
    schema.assertValid(etree.parse(oozie / name))


@pytest.mark.parametrize("wrong", ["argument before exec", "unknown element"])
def test_schema_sees_inside_actions(oozie, schema, wrong):
    document = etree.parse(oozie / "workflow.xml")
    shell = document.find(".//s:shell", NAMESPACES)
    if wrong == "unknown element":
        etree.SubElement(shell, "{uri:oozie:shell-action:1.0}arguments").text = "x"
    else:
        shell.insert(0, shell.find("s:argument", NAMESPACES))
    assert not schema.validate(document)


@pytest.mark.parametrize("name", ["workflow.xml", "coordinator.xml"])
def test_every_variable_is_defined(oozie, name):
    used = variables((oozie / name).read_text().split("-->", 1)[1])
    assert used
    assert used - set(read_properties(oozie)) == set()


def test_every_property_is_used(oozie):
    used = variables("".join((oozie / name).read_text() for name in ("workflow.xml", "coordinator.xml")))
    unused = set(read_properties(oozie)) - used
    assert {name for name in unused if not name.startswith("oozie.")} == set()


def test_every_transition_has_a_target_and_every_node_is_reached(workflow):
    root = workflow.getroot()
    nodes = {node.get("name") for kind in ("action", "kill", "end") for node in root.findall(f"w:{kind}", NAMESPACES)}
    targets = {node.get("to") for node in root.iter() if node.get("to")}
    assert targets == nodes
    for action in root.findall("w:action", NAMESPACES):
        kinds = [action.find(f"w:{kind}", NAMESPACES).get("to") for kind in ("ok", "error")]
        assert kinds[0] != action.get("name")
        assert kinds[1] == "failed"


def test_kill_message_says_where_the_reason_stands(workflow):
    message = workflow.findtext(".//w:kill/w:message", namespaces=NAMESPACES)
    assert "${workspace}/runs" in message
    assert "${wf:errorMessage(wf:lastErrorNode())}" in message


def test_coordinator_makes_up_for_the_last_missed_time_only(coordinator):
    controls = {each.tag.split("}")[1]: each.text for each in coordinator.find(".//c:controls", NAMESPACES)}
    assert controls == {"concurrency": "1", "execution": "LAST_ONLY"}
    assert coordinator.findtext(".//c:app-path", namespaces=NAMESPACES) == "${appPath}/workflow.xml"


def fill(text, properties):
    return re.sub(r"\$\{(\w+)\}", lambda found: properties[found[1]], text)


def lay_out(action, folder, deploy):
    """Put the files of an action into a folder, as Oozie does on the node that runs it."""
    sources = [deploy / "oozie", deploy / "hdinsight", deploy.parent / "jobs"]
    for each in action.findall(".//s:file", NAMESPACES):
        path, name = each.text.removeprefix("${appPath}/").split("#")
        (source,) = [folder / path for folder in sources if (folder / path).exists()]
        shutil.copy(source, folder / name)


@pytest.mark.parametrize("name", ["sweep", "predict"])
def test_action_submits_its_job_with_the_files_it_brings(oozie, workflow, deploy, node, name):
    node.add_program("spark-submit", 'printf "%s\\n" "$@" >"$NODE/line"')
    action = workflow.find(f".//w:action[@name='{name}']", NAMESPACES)
    container = node.folder / "container"
    container.mkdir()
    lay_out(action, container, deploy)
    properties = read_properties(oozie)
    arguments = [fill(each.text, properties) for each in action.findall(".//s:argument", NAMESPACES)]
    ended = node.run(container / action.findtext(".//s:exec", namespaces=NAMESPACES), *arguments, cwd=container)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "failed_fits=0\n"
    line = node.read("line").splitlines()
    job = line.index(str(container / f"{name}.py"))
    storage = properties["nameNode"]
    assert line[job + 1 :] == [
        *("distributed_sweep", "--workspace", f"{storage}/sparksweep/workspace"),
        *("--set", "data.source=/mnt/sparksweep/raw"),
    ]
    assert f"{storage}/sparksweep/environment.tar.gz#environment" in line


@pytest.fixture
def run_sh(oozie, node):
    """Run run.sh beside a submit that says and ends as told."""

    def run(says, ends):
        container = node.folder / "container"
        container.mkdir()
        shutil.copy(oozie / "run.sh", container)
        (container / "submit").write_text(f"echo noise; echo {shlex.quote(says)} >&2; exit {ends}\n")
        return node.run(container / "run.sh", "demo", cwd=container)

    return run


def test_failed_fits_are_a_success_that_gives_the_count(run_sh):
    ended = run_sh("sparksweep: finished with failed fits: failed_fits=5; which and why: there", 3)
    assert (ended.returncode, ended.stdout) == (0, "failed_fits=5\n")


@pytest.mark.parametrize("code", [1, 2, 130])
def test_failure_is_one(run_sh, code):
    ended = run_sh("sparksweep: the job failed", code)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert "sparksweep: the job failed" in ended.stderr


def test_standard_output_stays_small(run_sh):
    assert len(run_sh("long words " * 1000, 0).stdout) < 100
