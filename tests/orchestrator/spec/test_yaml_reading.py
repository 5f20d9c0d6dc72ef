import pytest

from apollo_core.errors import BadInput
from orchestrator.spec.yaml_reading import read_yaml


def read(tmp_path, content):
    path = tmp_path / "x.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_yaml(path)


def test_values_come_with_the_line_of_their_key(tmp_path):
    document = read(tmp_path, "a: 1\nb:\n  c: [x, y]\n  d: 2.5\n")
    assert document.content == {"a": 1, "b": {"c": ["x", "y"], "d": 2.5}}
    assert document.line(("b", "d")) == 4
    assert document.line(("b", "absent", "deeper")) == 2


def test_decimal_numbers_are_read_as_they_look(tmp_path):
    text = "a: [0, 0.5, -3, 1000000, 1.0e-3, +7, 00.5, '010', '1:30']"
    assert read(tmp_path, text).content["a"] == [
        *(0, 0.5, -3, 1000000, 0.001, 7, 0.5),
        *("010", "1:30"),
    ]


def test_only_true_and_false_are_truth_values_and_on_is_a_word(tmp_path):
    text = "a: [true, False, on, off, yes, NO, 'true']"
    assert read(tmp_path, text).content["a"] == [True, False, "on", "off", "yes", "NO", "true"]


def test_an_alias_is_read_as_what_it_stands_for(tmp_path):
    document = read(tmp_path, "a: &a {x: 1}\nb: *a\n")
    assert document.content == {"a": {"x": 1}, "b": {"x": 1}}


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        ("a: 1\na: 2\n", 2, "duplicate key 'a', first on line 1"),
        ("1: a\n", 1, "not text"),
        ("a: {no: 1}\n", 1, "put it in quotes"),
        ("a: !!python/object/apply:os.system [x]\n", 1, "tag"),
        ("a: !mine x\n", 1, "tag"),
        ("b: &b {x: 1}\na:\n  <<: *b\n", 3, "merge keys"),
        ("a: &a [*a]\n", 1, "own anchor"),
        ("b: 0\na: 1:30\n", 2, "base 60 in YAML; write a plain decimal number"),
        ("a: 1:30.5\n", 1, "base 60"),
        ("a: 010\n", 1, "base 8"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a: [1\n", 2, "not YAML"),
        ("a: 1\n\tb: 2\n", 2, "not YAML"),
        ("- a\n", 1, "a mapping of keys"),
        (b"a: 1\nb: \xff\n", 2, "not UTF-8"),
        ("a: " + "[" * 60 + "]" * 60, 1, "nested deeper"),
        ("a: " + "9" * 5000, 1, "not a number"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path, content, line, reason):
    with pytest.raises(BadInput, match=reason) as caught:
        read(tmp_path, content)
    assert f"x.yaml:{line}: " in str(caught.value)


def test_aliases_that_multiply_are_refused_before_they_are_expanded(tmp_path):
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]")
    with pytest.raises(BadInput, match="aliases expand"):
        read(tmp_path, "\n".join(lines))


def test_an_empty_an_absent_and_a_huge_file_and_a_directory_are_refused(tmp_path):
    with pytest.raises(BadInput, match="empty"):
        read(tmp_path, "# nothing\n")
    with pytest.raises(BadInput, match="not found"):
        read_yaml(tmp_path / "absent.yaml")
    with pytest.raises(BadInput, match="directory"):
        read_yaml(tmp_path)
    with pytest.raises(BadInput, match="larger"):
        read(tmp_path, "a: " + "x" * 2_000_001)
