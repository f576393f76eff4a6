"""The front of a run as a notebook holds it: the same data as everywhere, in values that are light to use."""

import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import asdict

import numpy as np
import pytest

from mapmerge import Front, Merge, Point, open_front
from mapmerge.errors import BadInputError, IntegrityError, MissingPackageError, PreferenceError, RunError
from mapmerge.preference import Preference
from mapmerge.report.items import look_up
from mapmerge.report.page import render
from tests.report.recorded_run import recorded_run


@pytest.fixture(scope="module")
def front(make_finished):
    return open_front(make_finished("memory://front/runs/one").folder.uri)


def test_points_say_what_the_result_says_in_the_order_of_the_study(front):
    assert [asdict(point) for point in front.points] == [
        {key: point[key] for key in Point.__dataclass_fields__} for point in front.result["front"]
    ]
    assert len(front.dominated) == len(front.result["dominated"])
    first = front.points[0]
    assert isinstance(first, Point)
    assert front.point(first.id) == first
    for scores in (first.measured, first.low, first.high, first.predicted, first.predicted_low, first.predicted_high):
        assert list(scores) == ["z", "y"]  # not in the alphabet's
    assert list(first.coefficients) == ["e0", "e1"]
    with pytest.raises(BadInputError, match="no point 'p99'"):
        front.point("p99")


@pytest.mark.parametrize(
    ("words", "preference"),
    [
        ({"prefer": {"z": 2, "y": np.float32(1)}}, Preference(weights={"z": 2.0, "y": 1.0})),
        ({"at_least": {"y": 0.6}}, Preference(at_least={"y": 0.6})),
        ({"knee": True}, Preference(knee=True)),
    ],
)
def test_a_pick_is_that_of_the_run(front, words, preference):
    picked = front.pick(**words)
    assert type(picked) is Merge
    assert {**asdict(picked), "level": 0.9} == front.finished.pick(preference)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({}, "give one preference: prefer="),
        ({"prefer": {"z": 1}, "knee": True}, "give one preference"),
        ({"prefer": {}}, "prefer={}: expected"),
        ({"prefer": "z=1"}, "prefer='z=1': expected"),
        ({"at_least": {"z": "0.9"}}, "at_least: 'z': expected a number, got '0.9'"),
        ({"prefer": {"z": True}}, "expected a number, got True"),
        ({"prefer": {"zz": 1}}, "no objective 'zz'; did you mean 'z'"),
    ],
)
def test_what_is_no_preference_is_said(front, words, said):
    with pytest.raises(PreferenceError, match=said):
        front.pick(**words)


def test_a_frame_has_the_rows_of_the_csv(front):
    header, *rows = front.finished.rows()
    frame = front.to_frame()
    assert [frame.index.name, *frame.columns] == header
    assert [list(row) for row in frame.reset_index().itertuples(index=False)] == rows
    assert list(frame[frame.on_front].index) == [point.id for point in front.points]


def test_a_frame_without_pandas_is_an_error_in_words(front, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingPackageError, match="pip install pandas") as error:
        front.to_frame()
    assert isinstance(error.value, ImportError)


def test_a_notebook_shows_text_a_table_and_a_picture(front):
    assert len(repr(front).splitlines()) <= 10
    assert f"{len(front.points)} merged models of 2 experts over 2 objectives" in repr(front)
    assert "<table>" in front._repr_html_()
    assert ElementTree.fromstring(front.plot()._repr_svg_()).tag.endswith("svg")
    assert len(repr(front.plot())) < 80
    assert repr(front.points[0]).startswith("Point(p01: z 0.")
    assert repr(front.pick(knee=True)).startswith("Merge(z 0.")


def test_the_report_is_that_of_the_run(tmp_path):
    folder = recorded_run(tmp_path / "store")
    front = open_front(folder.uri)
    out = front.report(tmp_path / "front.html")
    page = render(front.result, look_up(folder, front.result))
    assert (tmp_path / "front.html").read_text(encoding="utf-8") == page != render(front.result)
    assert out == str(tmp_path / "front.html")
    for bad in (tmp_path, tmp_path / "no" / "such.html"):
        with pytest.raises(BadInputError, match="expected a file name in a folder that exists"):
            front.report(bad)


def test_verify_says_what_is_not_as_it_was_written(make_finished):
    front = Front(make_finished("memory://front/runs/spoilt"))
    front.verify()
    front.finished.folder.files.replace("note.txt", b"hello")
    with pytest.raises(IntegrityError, match=r"1 problem\n  file note.txt was added"):
        front.verify()


def test_a_point_of_other_experts_is_not_exported(front, tmp_path):
    other = Merge(coefficients={"e9": 1.0}, predicted={}, predicted_low={}, predicted_high={})
    with pytest.raises(BadInputError, match="merges experts e0, e1, the point is of e9"):
        front.export(other, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_no_run_is_said():
    with pytest.raises(RunError, match="there is no run here"):
        open_front("memory://front/runs/none")
