"""What commands say beside their results: help, messages and where they go, tables, shell completion."""

import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numba
import pytest

import speechgmm as sg
from speechgmm import cli
from speechgmm.cli.app import COMMANDS, GROUPS, loaded_command
from speechgmm.cli.messages import Messages
from speechgmm.config import load_config
from speechgmm.config.catalogue import configurations, summary
from speechgmm.engine.compilation import NOTE, compile_note
from speechgmm.engine.console import Console
from speechgmm.engine.job import prepare
from speechgmm.errors import ConfigError
from speechgmm.io.terminal import tell
from speechgmm.logger import LOGGER
from speechgmm.report.text import print_table


def shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object) -> tuple[str, str]:
    """Standard output and standard error of a command that succeeds."""
    monkeypatch.setattr(sys, "argv", ["speechgmm", *map(str, arguments)])
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out, err = capsys.readouterr()
    assert not ended.value.code, err
    return out, err


# ---- help and completion ----


def test_help_shows_every_command_once_in_its_group_and_no_types_of_python(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "150")
    out, _ = shown(capsys, monkeypatch, "--help")
    panels = re.split(r"╭─ (.*?) ─+╮", out)
    by_title = dict(zip(panels[1::2], panels[2::2], strict=True))
    for title, commands in GROUPS.items():
        assert re.findall(r"^│ (\S+) ", by_title[title], flags=re.MULTILINE) == list(commands)
    assert "--install-completion" in by_title["Options"]
    for name in COMMANDS:
        out, _ = shown(capsys, monkeypatch, name, "--help")
        assert not re.search(r"<\w+>|<\w+\[|BOOLEAN|INTEGER|TEXT\b", out), out
        for option in ("--verbose", "--log-file", "--debug"):
            assert out.count(option) >= 1, (name, option)


def test_a_shell_completes_commands_and_their_options() -> None:
    for words, number, expected in (("speechgmm di", 1, "diarize"), ("speechgmm run --verify", 2, "--verify-audio")):
        done = subprocess.run(
            [sys.executable, "-c", "import sys; sys.argv[0] = 'speechgmm'; from speechgmm.cli import main; main()"],
            env={
                **os.environ,
                "_SPEECHGMM_COMPLETE": "complete_bash",
                "COMP_WORDS": words,
                "COMP_CWORD": str(number),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert expected in done.stdout.split(), done.stderr


# ---- messages ----


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    """What an application's own handler gets."""
    found: list[logging.LogRecord] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record)

    handler = Kept()
    LOGGER.addHandler(handler)
    LOGGER.setLevel("DEBUG")
    yield found
    LOGGER.removeHandler(handler)
    LOGGER.setLevel("NOTSET")


@pytest.mark.slow
def test_a_library_attaches_a_null_handler_and_prints_what_it_is_told_to(
    config_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sg.run(config_file, console=Console(printing=False))
    assert capsys.readouterr() == ("", "")
    assert [type(handler) for handler in LOGGER.handlers] == [logging.NullHandler]
    assert LOGGER.level == logging.NOTSET


def test_every_message_of_the_console_is_a_record(
    records: list[logging.LogRecord], capsys: pytest.CaptureFixture[str]
) -> None:
    console = Console()
    console.say("said")
    console.warn("warned 100 %")
    assert [(one.levelname, one.getMessage()) for one in records] == [("INFO", "said"), ("WARNING", "warned 100 %")]
    assert capsys.readouterr().err == "said\nwarning: warned 100 %\n"


def test_what_a_command_tells_is_a_record_at_its_level(
    records: list[logging.LogRecord], capsys: pytest.CaptureFixture[str]
) -> None:
    for text in ("warning: a is clipped", "error: b is empty", "scores in nats"):
        tell(text)
    told = [(one.levelname, one.getMessage()) for one in records]
    assert told == [("WARNING", "a is clipped"), ("ERROR", "b is empty"), ("INFO", "scores in nats")]
    assert capsys.readouterr().err == "warning: a is clipped\nerror: b is empty\nscores in nats\n"


def test_the_records_of_worker_processes_come_back_in_order(
    config_file: Path, records: list[logging.LogRecord]
) -> None:
    job = prepare(
        load_config(config_file, ["parallel={backend: processes, n_jobs: 2}"]), console=Console(printing=False)
    )
    assert list(job.map(_told, range(6))) == list(range(6))
    told = [one for one in records if one.getMessage().startswith("task")]
    assert [one.getMessage() for one in told] == [f"task {n}" for n in range(6)]
    assert os.getpid() not in {one.process for one in told}
    records.clear()
    LOGGER.setLevel("INFO")
    list(job.map(_told, range(6)))
    assert not records  # what nobody asks for is not sent


def _told(number: int) -> int:
    LOGGER.debug("task %d", number)
    return number


@pytest.mark.slow
def test_verbose_prints_details_and_a_log_file_keeps_all_messages(
    config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "all.log"
    _, plain = shown(capsys, monkeypatch, "run", config_file, "--out", tmp_path / "1")
    _, verbose = shown(capsys, monkeypatch, "run", config_file, "--out", tmp_path / "2", "-v", "--log-file", log)
    details = [line for line in verbose.splitlines() if re.match(r"stage \w+: \d", line)]
    assert len(details) >= 3
    assert not [line for line in plain.splitlines() if line.startswith("stage ")]
    text = log.read_text()
    for line in details:
        assert f"DEBUG process {os.getpid()}: {line}\n" in text
    _, quiet = shown(capsys, monkeypatch, "run", config_file, "--out", tmp_path / "3", "-q", "--log-file", log)
    assert quiet == ""
    assert len(log.read_text()) > 1.5 * len(text)  # appended, and as much of a quiet run


def test_an_error_is_in_the_log_file_and_the_handlers_go_with_the_command(tmp_path: Path) -> None:
    with pytest.raises(ConfigError), Messages(log_file=tmp_path / "log").handled({}):
        raise ConfigError("no such thing")
    assert "ERROR" in (tmp_path / "log").read_text()
    assert [type(handler) for handler in LOGGER.handlers] == [logging.NullHandler]


@pytest.mark.parametrize(
    ("options", "others", "words"),
    [
        ({"verbose": True}, {"quiet": True}, "give one of them"),
        ({"log_file": Path("no/such/folder/log")}, {}, "name a file in a folder that exists"),
    ],
)
def test_options_about_messages_that_cannot_be_are_refused(
    options: dict[str, object], others: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigError, match=words), Messages(**options).handled(others):  # type: ignore[arg-type]
        pass
    assert [type(handler) for handler in LOGGER.handlers] == [logging.NullHandler]


def test_compiling_is_announced_once_and_only_when_something_compiles(capsys: pytest.CaptureFixture[str]) -> None:
    one, other = (numba.njit(lambda x, n=n: x + n) for n in range(2))
    with compile_note(Console()):
        pass
    assert capsys.readouterr().err == ""
    with compile_note(Console()):
        assert (one(1), other(1)) == (1, 2)
    assert capsys.readouterr().err == f"{NOTE}\n"
    with compile_note(Console()):
        assert one(1) == 1
    assert capsys.readouterr().err == ""


# ---- tables ----


def test_a_table_is_ruled_on_a_terminal_and_aligned_by_spaces_elsewhere(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [("class", "recall"), ("one [red]", "9.5"), ("two", "10.0")]
    print_table(rows)
    assert capsys.readouterr().out == "  class      recall\n  one [red]     9.5\n  two          10.0\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "dumb")
    print_table([*rows, ("\x1b[31mthree", "1.0")])
    ruled = capsys.readouterr().out
    assert "─" in ruled
    assert "one [red]" in ruled  # no markup
    assert "\\x1b[31mthree" in ruled  # a label gives no commands to the terminal
    assert "\x1b" not in ruled


# ---- configurations of the package ----


def test_every_configuration_of_the_package_can_be_read_and_says_what_it_is_for_in_its_first_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, _ = shown(capsys, monkeypatch, "configs")
    assert [line.split()[0] for line in out.splitlines()] == sorted(configurations())
    for name, path in configurations().items():
        assert summary(path).endswith((".", "?")), name
        assert summary(path) in out
        assert load_config(name).config == load_config(path).config
    out, _ = shown(capsys, monkeypatch, "configs", "--show", "fsdd-digits")
    assert out == configurations()["fsdd-digits"].read_text()


def test_a_configuration_of_the_package_runs_by_name_and_a_file_of_that_name_wins(
    config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(config_file.parent)
    packaged = load_config("speaker-verification")
    assert packaged.corpus_path() == config_file.parent / "data" / "verification" / "manifest.tsv"
    assert packaged.output() == config_file.parent / "runs" / "speaker-verification"
    Path("fsdd-digits").mkdir()
    assert load_config("fsdd-digits").config.corpus.kind == "fsdd"  # a folder is no configuration
    Path("fsdd-digits").rmdir()
    config_file.rename("fsdd-digits")
    assert load_config("fsdd-digits").config.corpus.kind == "folder"
    for missing, near in (
        ("fsdd-digts", "fsdd-digits"),
        ("configs/fsdd-speakers.yaml", "fsdd-speakers"),
        ("zzz", "configs"),
    ):
        with pytest.raises(ConfigError, match=f"there is no such configuration file; .*{near}"):
            load_config(missing)


# ---- names that no file can have ----


def values_of(name: str) -> list[tuple[str, ...]]:
    """How one value may be given to a command: as each of its arguments, and as each option that takes text."""
    params = [param for param in loaded_command(name).params if param.name not in ("help", "log_file")]
    needed = ["{}" for param in params if param.param_type_name == "argument" and param.required]
    flags = {param.name for param in params if getattr(param, "is_flag", False)}
    options = [param for param in params if param.param_type_name == "option" and param.name not in flags]
    return [(*needed,), *((*["runs"] * len(needed), option.opts[0], "{}") for option in options)]


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "demo"])  # which speaks before it writes
@pytest.mark.parametrize("value", ["a\0b", "x" * 5000], ids=["a zero byte", "5,000 characters"])
def test_a_path_that_no_file_can_have_ends_every_command_with_a_sentence(
    name: str, value: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in values_of(name):
        given = [value if argument == "{}" else argument for argument in arguments]
        if not {value} & {*given}:
            continue
        monkeypatch.setattr(sys, "argv", ["speechgmm", name, *given])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        _, err = capsys.readouterr()
        # From Python 3.12 on, a path that is too long is one of no file: a cache there is empty, which is no error.
        assert ended.value.code in ((0, 1, 2) if name == "cache" else (1, 2)), arguments
        assert "Traceback" not in err
        assert "Errno" not in err, arguments
