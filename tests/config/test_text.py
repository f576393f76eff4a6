"""YAML of strangers: plain values that JSON can hold, or an error that says where."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapmerge.config.reading import MAX_BYTES, read_study
from mapmerge.config.text import parse, parse_value
from mapmerge.errors import ConfigError, MissingFileError

BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(c + 1)}: &{chr(c + 1)} [{','.join([f'*{chr(c)}'] * 9)}]\n" for c in range(97, 106)
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOMB, r"line 2: YAML aliases \(\*a\) are not allowed"),
        ("name: !!python/object/apply:os.system ['true']", r"line 1: YAML tags \(tag:yaml.org,2002:python/obj"),
        ("a: !!timestamp x", "YAML tags"),
        ("a: !!bool x", "YAML tags"),
        ("a: !!int ''", "YAML tags"),
        ("a: !x y", "YAML tags"),
        ("? [b, c]\n: d", "expected text as a key"),
        ("a:\n  1: b", "line 2: expected text as a key"),
        ("yes: b", "expected text as a key"),
        ("<<: {a: 1}", "expected text as a key"),
        ("a: " + "[" * 2000, "nested too deeply"),
        ("a:\n" + "".join(" " * n + "- \n" for n in range(1, 200)), "nested too deeply"),
        ("a: " + "x" * 3001, "a value has 3001 characters"),
        ("a: " + ":".join(["1"] * 400) + ".5", "not valid YAML"),
        ('a: "\\ud800"', "s"),
        ('a: "\\UFFFFFFFF"', "s"),
        ("a: 0b_", "not valid YAML"),
        ("a: 2001-99-99", "not valid YAML"),
        ("a: 2001-01-01", "line 1: a: expected text, a finite number"),
        ("b: [1, .nan]", r"line 1: b\.1: expected text, a finite number"),
        ("a: -.inf", "a finite number"),
        ("a: 0x" + "f" * 2900, "at most 64 bits"),
        ("a: 99999999999999999999", "at most 64 bits"),
        ("a: 1\n---\nb: 2", "not valid YAML"),
        ("", "expected a mapping"),
        ("just words", "expected a mapping"),
        ("a: \x00", "not valid YAML"),
    ],
)
def test_what_is_refused(text, words):
    with pytest.raises(ConfigError, match=f"^s.*{words}") as caught:
        parse(text, source="s")
    assert len(str(caught.value)) < 500


@settings(max_examples=60, deadline=None)
@given(st.text("ab:-[]{}&*!?|>%@'\"\\#,.0123456789xe~<= \n\t\ud800\x00", max_size=40))
def test_any_text_is_json_or_a_config_error(text):
    try:
        value = parse_value(text, source="s")
    except ConfigError:
        return
    assert json.loads(json.dumps(value, allow_nan=False)) == value


class TestFiles:
    def test_a_file_that_is_too_large_is_not_read(self, tmp_path):
        with (tmp_path / "s.yaml").open("wb") as file:
            file.truncate(10**12)  # a hole: no disk has it, no memory either
        with pytest.raises(ConfigError, match=rf"s\.yaml: too large for a study file \(at most {MAX_BYTES} bytes\)"):
            read_study(tmp_path / "s.yaml")

    def test_a_name_that_no_file_can_have(self):
        with pytest.raises((ConfigError, MissingFileError), match=r"x: (cannot be read|no such study)"):
            read_study(Path("x" * 5000))

    def test_many_problems_are_counted_and_few_are_listed(self, tmp_path):
        path = tmp_path / "s.yaml"
        path.write_text("".join(f"k{n}: 1\n" for n in range(3000)))
        with pytest.raises(ConfigError) as caught:
            read_study(path)
        lines = str(caught.value).splitlines()
        assert "3005 problems" in lines[0]
        assert len(lines) == 22
        assert lines[-1].strip() == "and 2985 more"

    @pytest.mark.parametrize("number", ["NaN", "inf", "1e999"])
    def test_numbers_in_quotes_must_be_finite_too(self, tmp_path, number):
        path = tmp_path / "s.yaml"
        path.write_text(f'compute: {{timeout_s: "{number}"}}\nbaselines: {{scalars: ["{number}"]}}\n')
        with pytest.raises(ConfigError) as caught:
            read_study(path)
        assert "line 1: compute.timeout_s: " in str(caught.value)
        assert "line 2: baselines.scalars.0: " in str(caught.value)

    @pytest.mark.parametrize("name", ["../../etc", "/etc/passwd", "a/b", "..", "a\\n", ""])
    def test_names_cannot_be_paths(self, tmp_path, name):
        path = tmp_path / "s.yaml"
        path.write_text(f'name: "{name}"\nbase: b\narchitecture: m.n:f\nexperts: [{{name: "{name}", checkpoint: a}}]\n')
        with pytest.raises(ConfigError) as caught:
            read_study(path)
        assert "line 1: name: " in str(caught.value)
        assert "line 4: experts.0.name: " in str(caught.value)
