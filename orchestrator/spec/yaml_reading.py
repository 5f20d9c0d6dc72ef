"""YAML from a stranger to plain values, with the line of every key.

Stricter than `yaml.SafeLoader`: aliases may not grow the document, keys are unique text, a document
holds only mappings, sequences, text, numbers and null.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from apollo_core.errors import BadInput

KeyPath = tuple[str | int, ...]
Value = None | str | int | float | list["Value"] | dict[str, "Value"]

# The study's own file has about 500 values in 12 kB; a sweep a hundred times that is a mistake.
_MAX_BYTES = 2_000_000
_MAX_VALUES = 100_000
_MAX_DEPTH = 40

# libyaml reads the study's file in 6 ms; PyYAML's own parser, for where it is absent, in 60 ms.
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# Whatever else starts with 0: hexadecimal and binary numbers say what they are.
_OCTAL = re.compile(r"[-+]?0[0-7_]+$")
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class YamlDocument:
    """A file's content and where each key path of it stands.

    Attributes:
        path: the file.
        content: the top mapping.
        lines: key path -> line, counted from 1.
    """

    path: Path
    content: dict[str, Value]
    lines: Mapping[KeyPath, int]

    def line(self, where: KeyPath) -> int:
        """Line of `where`, or of the nearest key above it that the file has."""
        for length in range(len(where), 0, -1):
            if where[:length] in self.lines:
                return self.lines[where[:length]]
        return 1


def read_yaml(path: Path) -> YamlDocument:
    """Read one mapping from a YAML file.

    Raises:
        BadInput: names the file, the line and what is wrong.
    """
    text = _read_text(path)
    try:
        _check_shape(path, text)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise BadInput(f"{path}:{line}: not YAML: {error.problem or error.context}.") from None
    except yaml.YAMLError as error:
        raise BadInput(f"{path}: not YAML: {' '.join(str(error).split())}.") from None
    if node is None:
        raise BadInput(f"{path}: the file is empty; a sweep file starts with `name:`.")
    if not isinstance(node, MappingNode):
        raise BadInput(f"{path}:{_line(node)}: a mapping of keys is needed here, as `name: ...`.")
    reader = _Reader(path)
    reader.check_size(node)
    content = reader.mapping(node, ())
    return YamlDocument(path, content, reader.lines)


def _read_text(path: Path) -> str:
    if path.is_dir():
        raise BadInput(f"{path}: this is a directory; give a sweep file.")
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        raise BadInput(f"{path}: file not found.") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}.") from None
    if len(data) > _MAX_BYTES:
        raise BadInput(f"{path}: larger than {_MAX_BYTES} bytes; this is no sweep file.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput(
            f"{path}:{line}: not UTF-8 (byte {data[error.start]:#04x}); save the file as UTF-8."
        ) from None


def _check_shape(path: Path, text: str) -> None:
    """Refuse deep nesting and second documents before anything recursive sees them."""
    depth = documents = 0
    for event in yaml.parse(text, Loader=_Loader):
        line = event.start_mark.line + 1
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.DocumentStartEvent):
            documents += 1
        if depth > _MAX_DEPTH:
            raise BadInput(f"{path}:{line}: nested deeper than {_MAX_DEPTH} levels.")
        if documents > 1:
            raise BadInput(f"{path}:{line}: a second document (`---`); one sweep a file.")


def _line(node: Node) -> int:
    return node.start_mark.line + 1


class _Reader:
    """Turns checked nodes into values and remembers lines."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.lines: dict[KeyPath, int] = {}

    def check_size(self, root: Node) -> None:
        """Refuse aliases that contain themselves or multiply into a huge document."""
        sizes: dict[int, int | None] = {}

        def size(node: Node) -> int:
            if id(node) in sizes:
                known = sizes[id(node)]
                if known is None:
                    raise self._error(node, "an alias contains its own anchor")
                return known
            sizes[id(node)] = None
            total = 1 + sum(size(child) for child in _children(node))
            if total > _MAX_VALUES:
                raise self._error(
                    node, f"aliases expand this to more than {_MAX_VALUES} values; write it out"
                )
            sizes[id(node)] = total
            return total

        size(root)

    def mapping(self, node: MappingNode, where: KeyPath) -> dict[str, Value]:
        """A mapping with unique text keys."""
        content: dict[str, Value] = {}
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            if key in content:
                raise self._error(
                    key_node, f"duplicate key {key!r}, first on line {first[key]}; keep one"
                )
            first[key] = _line(key_node)
            self.lines[(*where, key)] = first[key]
            content[key] = self._value(value_node, (*where, key))
        return content

    def _key(self, node: Node) -> str:
        if not isinstance(node, ScalarNode):
            raise self._error(node, "a key must be text")
        if node.tag == f"{_TAG}merge":
            raise self._error(node, "merge keys (`<<`) are not read; write the keys out")
        if node.tag != f"{_TAG}str":
            kind = node.tag.removeprefix(_TAG)
            raise self._error(
                node, f"the key {node.value!r} is not text (YAML reads {kind}); put it in quotes"
            )
        return node.value

    def _value(self, node: Node, where: KeyPath) -> Value:
        self._check_tag(node)
        if isinstance(node, MappingNode):
            return self.mapping(node, where)
        if isinstance(node, SequenceNode):
            items: list[Value] = []
            for index, child in enumerate(node.value):
                self.lines[(*where, index)] = _line(child)
                items.append(self._value(child, (*where, index)))
            return items
        assert isinstance(node, ScalarNode)
        return self._scalar(node)

    def _check_tag(self, node: Node) -> None:
        allowed = {"map", "seq", "str", "int", "float", "null", "bool", "timestamp"}
        if node.tag.removeprefix(_TAG) not in allowed or not node.tag.startswith(_TAG):
            raise self._error(node, f"the tag {node.tag!r} is not allowed; write a plain value")

    def _scalar(self, node: ScalarNode) -> str | int | float | None:
        kind = node.tag.removeprefix(_TAG)
        if kind == "bool" and node.value.lower() in ("true", "false"):
            return node.value.lower() == "true"
        # `on`, `off`, `yes` and `no` are text as in YAML 1.2: `packing: on` means the word.
        if kind in ("str", "timestamp", "bool"):
            return str(node.value)
        if kind == "null":
            return None
        if ":" in node.value or (kind == "int" and _OCTAL.match(node.value)):
            raise self._error(
                node,
                f"{node.value[:40]!r} is read as a number to the base "
                f"{60 if ':' in node.value else 8} in YAML; write a plain decimal number, or quote "
                "text",
            )
        read = yaml.SafeLoader("")
        try:
            number = read.construct_yaml_int if kind == "int" else read.construct_yaml_float
            return number(node)
        except ValueError:
            raise self._error(node, f"{node.value[:40]!r} is not a number") from None

    def _error(self, node: Node, text: str) -> BadInput:
        return BadInput(f"{self._path}:{_line(node)}: {text}.")


def _children(node: Node) -> Iterator[Node]:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, SequenceNode):
        yield from node.value
