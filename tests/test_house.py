"""The house keeps its rules: sizes, one place that knows tasks, messages, docstrings.

One table has what goes against the rules today, a line each with its reason. It may only shrink: what is new fails, and
so does a line that is wider than what there is.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

import speechgmm
from speechgmm.io.model_kinds import model_kinds
from speechgmm.task_table import entries

PACKAGE = Path(speechgmm.__file__).parent
Function = ast.FunctionDef | ast.AsyncFunctionDef

MOST_LINES_OF_A_FILE = 300
MOST_LINES_OF_A_FUNCTION = 60
MOST_PARAMETERS = 8
MOST_EXCEPTIONS = 5


class Exceptions(NamedTuple):
    """What goes against a rule, and why; ``n`` places with at most ``most`` each (lines, parameters, questions)."""

    rule: str
    where: str  # a pattern of module or module:function
    n: int
    most: int
    reason: str


PUBLIC_WITH_KEYWORDS = r"(gmm|clustering|tasks/\w+)/\w+\.py:(OnlineEM\.begin|[a-z]\w+)"

ALLOWED = (
    Exceptions("lines of a function", r"hmm/\w+\.py:\w+_loops", 2, 83, "a compiled loop is one function"),
    Exceptions("parameters", r"hmm/\w+\.py:\w+_loops", 3, 14, "compiled loops take arrays, no objects"),
    Exceptions("parameters", PUBLIC_WITH_KEYWORDS, 11, 21, "public functions keep their keywords"),
    Exceptions("options", r"report/(sections|svg)\.py", 2, 1, "the command that makes a run again; a property of CSS"),
    Exceptions("questions", r"engine/task\.py", 1, 1, "it hands a run's task to the table of tasks"),
)
"""The only exceptions to the rules of the house. They may only shrink: nothing new, and no number that is too high."""

TASKS = set(entries())
KINDS = TASKS | {kind.name for kind in model_kinds()}
TYPES = {
    *("Trained", "TrainedSegments", "TrainedRecogniser", "TrainedAnomaly", "Evaluation", "TrialEvaluation"),
    *("RecognitionEvaluation", "AnomalyEvaluation", "Scores", "ScoredTrials", "Recognised", "AnomalyScores"),
    *("ModelFile", "SegmentFile", "RecogniserFile", "AnomalyFile", "DiarizerFile", "ClassModels", "SegmentModels"),
    *("Recogniser", "ClassScores", "Claims", "Decisions"),
}
"""Types of tasks: to ask for one is to ask for the task."""


@cache
def modules() -> Mapping[str, tuple[str, ast.Module]]:
    """Module, relative to the package -> its text and syntax."""
    texts = {path.relative_to(PACKAGE).as_posix(): path.read_text() for path in sorted(PACKAGE.rglob("*.py"))}
    return {name: (text, ast.parse(text)) for name, text in texts.items()}


def functions() -> Iterator[tuple[str, Function]]:
    """Every function of the package, under its module and name."""

    def within(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function):
                yield f"{prefix}{child.name}", child
            inner = f"{prefix}{child.name}." if isinstance(child, Function | ast.ClassDef) else prefix
            yield from within(child, inner)

    for name, (_, tree) in modules().items():
        yield from within(tree, f"{name}:")


def check_exceptions(found: Mapping[str, int], rule: str, allowed: Sequence[Exceptions] = ALLOWED) -> None:
    """Nothing against a rule beyond its exceptions, and no exception that is wider than what there is."""
    left = dict(found)
    for one in allowed:
        if one.rule != rule:
            continue
        places = {name: n for name, n in left.items() if re.fullmatch(one.where, name)}
        left = {name: n for name, n in left.items() if name not in places}
        there = (len(places), max(places.values(), default=0))
        assert there[0] <= one.n, f"{rule}: more of {one.where} than {one.n}: {_listed(places)}"
        assert there[1] <= one.most, f"{rule}: {_listed(places)}; allowed are {one.most}"
        assert there == (one.n, one.most), f"{rule}: {one.where} shrank: write {there} in ALLOWED, or remove the line"
    assert not left, f"{rule}: {_listed(left)}. Mend them; ALLOWED in tests/test_house.py may not grow"


def _listed(entries: Mapping[str, int]) -> str:
    return ", ".join(f"{name!r}: {n}" for name, n in sorted(entries.items()))


def test_exceptions_are_few_have_a_reason_and_may_only_shrink():
    assert len(ALLOWED) <= MOST_EXCEPTIONS
    assert all(one.reason for one in ALLOWED)
    check_exceptions({"a": 6, "b": 2}, "rule", [Exceptions("rule", "[ab]", 2, 6, "")])
    for found in ({"a": 7, "b": 2}, {"a": 6}, {"a": 5, "b": 2}, {"a": 6, "b": 2, "c": 1}, {}):
        with pytest.raises(AssertionError):
            check_exceptions(found, "rule", [Exceptions("rule", "[ab]", 2, 6, "")])


def over(sizes: Mapping[str, int], most: int) -> dict[str, int]:
    return {name: n for name, n in sizes.items() if n > most}


# ---- sizes ----


def test_no_file_is_longer_than_one_can_keep_in_mind():
    found = over({name: len(text.splitlines()) for name, (text, _) in modules().items()}, MOST_LINES_OF_A_FILE)
    check_exceptions(found, "lines of a file")


def test_no_function_is_longer_than_a_page():
    found = over({name: lines_of(function) for name, function in functions()}, MOST_LINES_OF_A_FUNCTION)
    check_exceptions(found, "lines of a function")


def test_no_function_has_more_parameters_than_one_can_name():
    found = over({name: n_parameters(function) for name, function in functions()}, MOST_PARAMETERS)
    check_exceptions(found, "parameters")


def lines_of(function: Function) -> int:
    """Lines from ``def`` to the end, without the docstring."""
    first = function.body[0]
    documented = ast.get_docstring(function) is not None
    return _span(function) - (_span(first) if documented else 0)


def _span(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def n_parameters(function: Function) -> int:
    """Parameters without ``self`` and ``cls``."""
    arguments = function.args
    names = [one.arg for one in (*arguments.posonlyargs, *arguments.args)]
    return len(names) - (names[:1] in (["self"], ["cls"])) + len(arguments.kwonlyargs)


# ---- messages ----


def test_only_commands_speak_of_options():
    """A library message names the setting or the Python argument; the command line adds its option (cli/app.py)."""
    found = {
        name: len([*strings_with_options(tree)]) for name, (_, tree) in modules().items() if not is_of_commands(name)
    }
    check_exceptions({name: n for name, n in found.items() if n}, "options")


def is_of_commands(name: str) -> bool:
    return name.startswith("cli/") or bool(re.fullmatch(r"tasks/(options|\w+/(\w+_)?command)\.py", name))


def strings_with_options(tree: ast.Module) -> Iterator[str]:
    """String constants, docstrings too, that name an option of a command."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.search(r"(?<!\w)--[a-z]", node.value):
            yield node.value


# ---- docstrings ----

_SECTION = re.compile(r"( *)(Raises|Warns):")
_ENTRY = re.compile(r"(\w+\.)*[A-Z]\w*(, (\w+\.)*[A-Z]\w*)*: \S")
_BEGUN_BY_ERROR = re.compile(r" *[A-Z]\w*(Error|Warning): ")
_ERROR_WITHIN = re.compile(r"\S.*[.;] [A-Z]\w*(Error|Warning): ")


def test_every_line_of_a_raises_section_begins_with_an_error_or_goes_on_deeper():
    """A reflow runs entries together, and then documentation made from them shows one error in place of two."""
    wrong = [
        f"{name} ({getattr(node, 'name', 'module')}): {line.strip()}"
        for name, (_, tree) in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, Function | ast.ClassDef | ast.Module)
        for line in run_together(ast.get_docstring(node) or "")
    ]
    assert not wrong, "\n".join(wrong)


def run_together(docstring: str) -> Iterator[str]:
    """Lines of sections on errors and warnings that neither begin an entry nor go on with one."""
    section = entry = -1  # indents; -1: in none
    for line in docstring.splitlines():
        indent = len(line) - len(line.lstrip())
        if begins := _SECTION.fullmatch(line.rstrip()):
            section, entry = len(begins[1]), -1
        elif section < 0 or not line.strip():
            continue
        elif indent <= section:
            section = -1
        else:
            entry = indent if entry < 0 else entry
            misplaced = _BEGUN_BY_ERROR.match(line) if indent > entry else not _ENTRY.match(line.strip())
            if misplaced or _ERROR_WITHIN.search(line):
                yield line


def test_sections_that_a_reflow_ran_together_are_found():
    head = "What it does.\n\nRaises:\n"
    assert not [
        *run_together(head + "    ShapeError: Frames that\n        Do: not fit.\n    FitError: None.\n\n>>> a\n")
    ]
    assert [*run_together(head + "    ShapeError: Frames. FitError: None.")]
    assert [*run_together(head + "    ShapeError: Frames that\n    do not fit.")]
    assert [*run_together(head + "    ShapeError: Frames.\n        FitError: None.")]
    assert [*run_together(head + "    As the other.")]


# ---- which task? ----


def test_only_tasks_ask_which_task_it_is():
    """The engine, the report and the commands ask the table of tasks, not a name, a type or a key."""
    found = {name: len(set(questions(tree))) for name, (_, tree) in modules().items() if not name.startswith("tasks/")}
    check_exceptions({name: n for name, n in found.items() if n}, "questions")


def questions(tree: ast.Module) -> Iterator[int]:
    """Lines that ask, by syntax: comparisons, isinstance, match, dictionaries keyed by tasks, hasattr, prefixes."""
    for node in ast.walk(tree):
        match node:
            case ast.Compare():
                asks = _compares(node)
            case ast.Call():
                asks = _calls(node)
            case ast.Dict(keys=keys):
                asks = len({key.value for key in keys if isinstance(key, ast.Constant)} & KINDS) >= 2
            case ast.If(test=test) | ast.IfExp(test=test):
                asks = _has_something_of_a_task(test)
            case ast.BoolOp(values=values):
                asks = any(map(_has_something_of_a_task, values))
            case ast.Subscript(slice=ast.Constant(value=value)):
                asks = value == "task"
            case ast.match_case(pattern=pattern):
                if _names(pattern) & TYPES or _strings(pattern) & KINDS:
                    yield pattern.lineno
                continue
            case _:
                continue
        if asks:
            yield node.lineno


def _compares(node: ast.Compare) -> bool:
    sides = [node.left, *node.comparators]
    plain = [side for side in sides if isinstance(side, ast.Constant | ast.Tuple | ast.Set | ast.List)]
    words, lasts = set().union(*map(_strings, plain)), set(map(_last, sides))
    if "condition" in _strings(node):  # a column of corpora of machines: normal, anomaly
        return False
    if words & KINDS and not lasts & {"split", "label", "labels", "start", "criterion"}:
        return True
    if lasts & {"task", "CLASSES", "KINDS"} or "kind_of" in _names(node) or "error_rate" in words:
        return True
    is_there = any(isinstance(side, ast.Constant) and side.value is None for side in sides)
    return is_there and bool(lasts & {"segments", "recognition", "hmm", "anomaly"})


def _calls(node: ast.Call) -> bool:
    name, first = _last(node.func), node.args[0] if node.args else None
    if name == "isinstance" and len(node.args) == 2:
        return bool(_names(node.args[1]) & TYPES)
    if name == "startswith" and first is not None:
        return bool(_strings(first) & KINDS)
    return name == "hasattr" or (name == "get" and isinstance(first, ast.Constant) and first.value == "task")


def _has_something_of_a_task(test: ast.expr) -> bool:
    inner = test.operand if isinstance(test, ast.UnaryOp) else test
    return isinstance(inner, ast.Attribute) and inner.attr in {"segments", "claims", "decisions", "hypotheses"}


def _names(tree: ast.AST) -> set[str]:
    return {_last(node) for node in ast.walk(tree) if isinstance(node, ast.Name | ast.Attribute)}


def _strings(tree: ast.AST) -> set[str]:
    constants = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {value for value in constants if isinstance(value, str)}


def _last(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def test_questions_are_found_in_all_their_forms():
    asked = [
        'config.task == "verification"',
        "x in KINDS",
        "config.segments is None",
        "isinstance(x, Scores | ScoredTrials)",
        'kind.startswith("segments")',
        'hasattr(x, "ubm")',
        'config.get("task")',
        'row["task"]',
        '{"anomaly": 1, "recognition": 2}',
        "1 if run.claims else 2",
        "match x:\n    case Recogniser(): pass",
    ]
    for text in asked:
        assert [*questions(ast.parse(text))], text
    for text in ('split == "test"', "isinstance(x, int)", '{"anomaly": 1}', 'config.get("seed")', "x is None"):
        assert not [*questions(ast.parse(text))], text
