"""The house keeps its rules: sizes, one place that knows tasks, messages, docstrings.

Each rule has a table of what goes against it today, which may only shrink: what is new fails, and so does an entry that
is no longer needed.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

import speechgmm

PACKAGE = Path(speechgmm.__file__).parent
Function = ast.FunctionDef | ast.AsyncFunctionDef

MOST_LINES_OF_A_FILE = 300
LONG_FILES = {
    "engine/cluster.py": 337,
    "tasks/classification/scoring.py": 304,
}

MOST_LINES_OF_A_FUNCTION = 60
LONG_FUNCTIONS = {
    "cli/grouping_commands.py:cluster_command": 64,
    "gmm/em.py:fit_em": 63,
    "gmm/fit.py:fit_mixture": 65,
    "gmm/updating.py:update": 61,
    "gmm/variational.py:fit_posterior": 61,
    "hmm/compiled_passes.py:viterbi_loops": 83,
    "hmm/expansion.py:expand": 63,
    "hmm/graph.py:assemble": 71,
    "hmm/n_best.py:token_loops": 80,
    "report/component_choice.py:choice": 62,
    "tasks/classification/command.py:score_and_print": 76,
    "tasks/clustering/command.py:cluster_and_print": 70,
    "tasks/clustering/plots.py:plot_clusters": 75,
    "tasks/diarization/command.py:diarize_and_print": 72,
}

MOST_PARAMETERS = 8
WIDE_FUNCTIONS = {
    # public functions keep their keywords
    "clustering/pieces.py:cluster_pieces": 10,
    "gmm/em.py:fit_em": 12,
    "gmm/adaptation.py:adapt_map": 15,
    "gmm/fit.py:fit_gmm": 20,
    "gmm/online.py:OnlineEM.begin": 9,
    "gmm/selection.py:choose_n_components": 18,
    "gmm/updating.py:update": 17,
    "gmm/variational.py:fit_variational": 17,
    "tasks/anomaly/plots.py:draw_anomaly": 9,
    "tasks/classification/estimation.py:adapt_classes": 10,
    "tasks/classification/estimation.py:train_classes": 12,
    "tasks/clustering/recordings.py:cluster_recordings": 9,
    "tasks/segments/components.py:fit_mixtures": 9,
    "tasks/verification/fusion.py:fuse_files": 9,
    # commands: a parameter for each option
    "cli/experiment_commands.py:evaluate_command": 10,
    "cli/experiment_commands.py:fuse_command": 10,
    "cli/grouping_commands.py:cluster_command": 13,
    "cli/grouping_commands.py:diarize_command": 12,
    "cli/experiment_commands.py:run_command": 9,
    "cli/model_commands.py:align_command": 11,
    "cli/model_commands.py:recognise_command": 9,
    "cli/model_commands.py:score_command": 13,
    "cli/model_commands.py:update_command": 10,
    "cli/model_commands.py:verify_command": 10,
    "tasks/classification/command.py:score_and_print": 10,
    "tasks/clustering/command.py:cluster_and_print": 12,
    "tasks/anomaly/score_command.py:score_if_anomaly_model": 9,
    "tasks/diarization/command.py:diarize_and_print": 11,
    "tasks/recognition/command.py:align_and_print": 10,
    # compiled loops take arrays, no objects
    "hmm/compiled_passes.py:backward_loops": 14,
    "hmm/compiled_passes.py:viterbi_loops": 11,
    "hmm/n_best.py:token_loops": 11,
}

WITH_OPTIONS = {
    "report/canvas.py": "--width is a property of the page's style sheet",
    "tasks/verification/task.py": "a run ends with the command to go on with",
    "report/sections.py": "the page shows the command that makes the run again",
}
"""Modules that hold a string with ``--`` though they are no command's, and why."""

QUESTIONS = {
    "corpus/readers/machines.py": 2,
    "engine/labelled_recordings.py": 1,
    "engine/task.py": 1,  # the table itself
    "hmm/recognition_spec.py": 2,
    "io/container.py": 1,
}
"""Module outside tasks/ -> in how many places it asks which task or kind of model it has."""

TASKS = {"classification", "verification", "recognition", "anomaly", "segments", "clustering", "diarization"}
KINDS = TASKS | {"recogniser", "diarizer", "classes"}
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


def may_only_shrink(
    found: Mapping[str, int], allowed: Mapping[str, int], table: str, rule: str, *, exactly: bool = False
) -> None:
    """Nothing beyond a table, and nothing in it that is no longer needed; ``exactly``: no number too high."""
    grown = {name: n for name, n in found.items() if n > allowed.get(name, 0)}
    less = {name: found.get(name, 0) for name, n in allowed.items() if found.get(name, 0) < n}
    shrunk = {name: n for name, n in less.items() if exactly or n == 0}
    assert not grown, f"{rule}: {_listed(grown)}. Mend them; {table} in tests/test_house.py may not grow"
    assert not shrunk, (
        f"{table} in tests/test_house.py may only shrink, and there is less now: write {_listed(shrunk)} there, and "
        "remove entries that are 0"
    )


def _listed(entries: Mapping[str, int]) -> str:
    return ", ".join(f"{name!r}: {n}" for name, n in sorted(entries.items()))


def test_a_table_of_exceptions_may_only_shrink():
    may_only_shrink({"a": 5}, {"a": 6}, "T", "rule")
    for found, allowed, exactly in (({"a": 7}, {"a": 6}, False), ({}, {"a": 6}, False), ({"a": 5}, {"a": 6}, True)):
        with pytest.raises(AssertionError):
            may_only_shrink(found, allowed, "T", "rule", exactly=exactly)


def over(sizes: Mapping[str, int], most: int) -> dict[str, int]:
    return {name: n for name, n in sizes.items() if n > most}


# ---- sizes ----


def test_no_file_is_longer_than_one_can_keep_in_mind():
    found = over({name: len(text.splitlines()) for name, (text, _) in modules().items()}, MOST_LINES_OF_A_FILE)
    may_only_shrink(found, LONG_FILES, "LONG_FILES", f"files over {MOST_LINES_OF_A_FILE} lines")


def test_no_function_is_longer_than_a_page():
    found = over({name: lines_of(function) for name, function in functions()}, MOST_LINES_OF_A_FUNCTION)
    may_only_shrink(found, LONG_FUNCTIONS, "LONG_FUNCTIONS", f"functions over {MOST_LINES_OF_A_FUNCTION} lines")


def test_no_function_has_more_parameters_than_one_can_name():
    found = over({name: n_parameters(function) for name, function in functions()}, MOST_PARAMETERS)
    may_only_shrink(found, WIDE_FUNCTIONS, "WIDE_FUNCTIONS", f"functions with over {MOST_PARAMETERS} parameters")


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
    found = {}
    for name, (_, tree) in modules().items():
        if not is_of_commands(name) and (strings := list(strings_with_options(tree))):
            found[name] = strings
    new, gone = found.keys() - WITH_OPTIONS.keys(), WITH_OPTIONS.keys() - found.keys()
    assert not new, f"name the argument, and give it to the error's arguments: {[(name, found[name]) for name in new]}"
    assert not gone, f"no longer needed in WITH_OPTIONS: {sorted(gone)}"


def is_of_commands(name: str) -> bool:
    return (
        name.startswith("cli/")
        or name == "demo/command.py"
        or bool(re.fullmatch(r"tasks/\w+/(\w+_)?command\.py", name))
    )


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
    found = {name: n for name, n in found.items() if n}
    rule = "modules outside tasks/ that ask which task or kind it is, in so many places (found by questions())"
    may_only_shrink(found, QUESTIONS, "QUESTIONS", rule, exactly=True)


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
    if words & KINDS and not lasts & {"split", "label", "criterion"}:
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
