"""YAML that a stranger wrote: what it holds, or one error with its line."""

from pathlib import Path

import pytest

from speechgmm.config import load_config, plain_values
from speechgmm.config.yaml_text import DEEPEST, MOST_CHARACTERS
from speechgmm.errors import ConfigError

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(9)
)
MERGES = "a: &a {x: 1}\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)}\n  <<: [{', '.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: 0\ncorpus: {label: !!int x}\n", "line 2: 'x' cannot be read as a whole number"),
        ("seed: !!float z\n", "line 1: 'z' cannot be read as a number"),
        ("seed: !!bool maybe\n", "line 1: 'maybe' cannot be read as true or false"),
        ("seed: !!int [1]\n", "line 1"),
        ("seed: " + "9" * 5000, r"line 1: '9{40}\.\.\.' cannot be read as a whole number of at most 19 digits"),
        ("seed: 0x" + "f" * 5000, "line 1: .* at most 19 digits"),
        ("seed: 1:2:3:" + "4:" * 2000 + "5", "line 1: .* cannot be read as"),
        ("seed: !!python/object/apply:os.system [echo]\n", "line 1: could not determine a constructor"),
        ("seed: !!binary '***'\n", "line 1"),
        ("\n\na: b\0c\n", "line 3: the character '.x00', which no YAML text may hold"),
        ('a: "b\\0c"\n', r"line 1: 'b\\x00c' cannot be read as text \(it holds a zero byte\)"),
        ("a: {b: [1, 2}\n", "line 1: not YAML"),
        ("a: *b\n", "line 1: not YAML: found undefined alias"),
        ("a: &a [*a]\n", "line 1: an alias within what it stands for"),
        ("a: &a {b: *a}\n", "line 1: an alias within what it stands for"),
        ("[" * 5000, f"line 1: more than {DEEPEST} levels of nesting"),
        ("- " * 5000, f"line 1: more than {DEEPEST} levels of nesting"),
        ("{" * 5000, f"line 1: more than {DEEPEST} levels of nesting"),
        (LAUGHS, "more than 20000 values, with aliases unfolded"),
        (MERGES, "more than 20000 values, with aliases unfolded"),
        ("a: 1\nb: 2\na: 3\n", "line 3: 'a' is already set in line 1"),
        ("? [a, b]\n: 1\n", "line 1: a key is a word"),
        ("a: 1\n---\nb: 2\n", "line 2: not YAML"),
        ("#" * (MOST_CHARACTERS + 1), f"1000001 characters; expected a configuration of at most {MOST_CHARACTERS}"),
        ("%YAML 9.9\n---\na: 1\n", "line 1: not YAML"),
    ],
)
def test_a_text_that_is_no_configuration_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"(?s)^text(, |: ).*{message}"):
        plain_values(text, "text")


def test_dates_are_text_and_keys_are_what_stands_there() -> None:
    values, lines = plain_values("1: one\non: 2020-13-45\nnull: 2020-01-31\n2021-02-03: {yes: no}\n", "text")
    assert values == {"1": "one", "on": "2020-13-45", "null": "2020-01-31", "2021-02-03": {"yes": False}}
    assert lines == {("1",): 1, ("on",): 2, ("null",): 3, ("2021-02-03",): 4, ("2021-02-03", "yes"): 4}


def test_aliases_and_merges_of_an_honest_size_are_read() -> None:
    values, _ = plain_values("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: *a\n", "text")
    assert values == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": {"x": 1, "y": 2}}


def test_numbers_as_large_as_64_bits_hold_are_read() -> None:
    assert plain_values("a: 9223372036854775807\nb: -9223372036854775808\nc: 1e400\n", "text")[0]["a"] == 2**63 - 1


def test_a_pipe_a_device_and_a_folder_are_no_configuration(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.yaml")
    for path, message in ((tmp_path / "pipe.yaml", "a pipe or a device"), (Path("/dev/zero"), "a pipe or a device")):
        with pytest.raises(ConfigError, match=message):
            load_config(path)
    with pytest.raises(ConfigError, match="a folder"):
        load_config(tmp_path)
