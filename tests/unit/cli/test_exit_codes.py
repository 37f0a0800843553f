"""Every end of a command is a message and an exit code."""

from __future__ import annotations

import importlib
import subprocess
import sys
import warnings

import pytest

from sparksweep import __version__
from sparksweep.cli import main
from sparksweep.errors import ConfigError, DataError, SparksweepError, UsageError


@pytest.fixture
def failing(monkeypatch):
    """Make `sparksweep generate` raise."""

    def fail_with(error):
        def raise_it(*args, **kwargs):
            raise error

        monkeypatch.setattr("sparksweep.talkingdata.generate.generate", raise_it)
        return main(["generate", "--out", "x"])

    return fail_with


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (DataError("events.csv: is empty"), 1, "sparksweep: error: events.csv: is empty\n"),
        (SparksweepError("broken"), 1, "sparksweep: error: broken\n"),
        (UsageError("no such run"), 2, "sparksweep: error: no such run\n"),
        (ConfigError(["a: wrong", "b: wrong"]), 2, "sparksweep: error: a: wrong\nsparksweep: error: b: wrong\n"),
        (KeyboardInterrupt(), 130, "sparksweep: error: interrupted; the same command goes on with what is done\n"),
    ],
)
def test_errors_become_lines_and_codes(failing, capsys, error, code, message):
    assert failing(error) == code
    assert capsys.readouterr().err == message


def test_an_error_of_our_own_making_is_not_hidden(failing):
    with pytest.raises(ZeroDivisionError):
        failing(ZeroDivisionError())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["swep"], "No such command 'swep'"),
        (["sweep", "demo"], "Missing option '--workspace'"),
        (["sweep", "--workspace", "w"], "Missing argument 'EXPERIMENT'"),
        (["generate", "--out", "x", "--scale", "big"], "Invalid value for '--scale'"),
        (["sweep", "demo", "-w", "w", "--fast"], "No such option: --fast"),
    ],
)
def test_wrong_arguments_are_code_2(capsys, arguments, message):
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_help_and_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"sparksweep {__version__}\n"
    assert main(["sweep", "--help"]) == 0
    out = capsys.readouterr().out
    for option in ("EXPERIMENT", "--workspace", "--set", "--rebuild"):
        assert option in out


def test_no_command_shows_the_commands(capsys):
    assert main([]) == 2
    captured = capsys.readouterr()
    assert "sweep" in captured.out + captured.err


@pytest.mark.slow
def test_sigterm_ends_as_ctrl_c_does():
    code = "import os, signal, sys\nfrom sparksweep.cli import main\nimport sparksweep.talkingdata.generate as g\n"
    code += "g.generate = lambda *a, **k: os.kill(os.getpid(), signal.SIGTERM)\n"
    code += "sys.exit(main(['generate', '--out', 'x']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 130
    assert done.stderr == "sparksweep: error: interrupted; the same command goes on with what is done\n"


@pytest.mark.slow
def test_who_reads_no_further_does_not_end_the_command(tmp_path):
    """As in ``| head -1``: what is done is done, and nothing is said of the pipe."""
    code = (
        "import sys; from sparksweep.cli.console import say\n"
        "say('first'); sys.stdin.readline()\n"
        "for line in range(3): say('x' * 1000)\n"
        "open(sys.argv[1], 'w').write('done')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "end")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "first\n"
    process.stdout.close()
    process.stdin.write("\n")
    process.stdin.close()
    assert process.stderr.read() == ""
    assert process.wait(60) == 0
    assert (tmp_path / "end").read_text() == "done"
    process.stderr.close()


def test_a_warning_of_failed_fits_is_left_to_the_command(caplog, monkeypatch):
    class FitFailedWarning(RuntimeWarning):
        pass

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", importlib.import_module("sparksweep.cli.main")._warn_in_one_line)
        warnings.warn("4 fits failed\nTraceback", FitFailedWarning, stacklevel=1)
        warnings.warn("one of\ntwo lines", UserWarning, stacklevel=1)
    assert [record.getMessage() for record in caplog.records] == ["one of two lines"]
