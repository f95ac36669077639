import pickle
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from speechgmm.config import (
    config_hash,
    default_config,
    differences,
    json_schema,
    load_config,
    make_config,
    settings_hash,
    template,
    to_plain,
    to_yaml,
)
from speechgmm.corpus.reader_specs import TimitSpec
from speechgmm.errors import ConfigError

REPOSITORY = Path(__file__).resolve().parents[1]


def written(folder: Path, text: str) -> Path:
    path = folder / "experiment.yaml"
    path.write_text(text)
    return path


def test_yaml_of_a_config_reads_back_as_the_same_config() -> None:
    config = make_config({"corpus": {"label": "speaker", "split": "fraction"}, "model": {"n_components": 7}})
    assert make_config(yaml.safe_load(to_yaml(config))) == config


def test_the_template_has_every_key_and_its_values_are_the_defaults() -> None:
    assert make_config(yaml.safe_load(template())) == default_config()
    keys = set(re.findall(r"^ *(\w+):", template(), re.MULTILINE))

    def names(plain: dict[str, object]) -> set[str]:
        inner = [names(value) for value in plain.values() if isinstance(value, dict)]
        return set(plain).union(*inner)

    assert keys == names(to_plain(default_config()))


def test_the_template_in_configs_is_the_one_the_code_makes() -> None:
    assert (REPOSITORY / "configs" / "template.yaml").read_text() == template()


@pytest.mark.parametrize("path", sorted((REPOSITORY / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_config_in_the_repository_is_valid(path: Path) -> None:
    load_config(path)


def test_every_key_has_a_description_in_the_schema() -> None:
    schema = json_schema()
    for name, section in [("Config", schema), *schema["$defs"].items()]:
        for key, about in section["properties"].items():
            assert about.get("description"), f"{name}.{key}"
        assert section["additionalProperties"] is False


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "model:\n  n_component: 3\n",
            r"line 2: unknown key 'model.n_component'; did you mean 'model.n_components'",
        ),
        (
            "seed: 1\nn_components: 3\n",
            r"line 2: unknown key 'n_components'; it belongs at 'model.n_components'",
        ),
        ("trials: t.tsv\n", r"line 1: trials is for task: verification; this configuration has task: classification"),
        ("grid: 1\n", r"line 1: unknown key 'grid'; the keys at the top are task, corpus"),
        (
            "model: {n_components: 0}\n",
            r"model.n_components is 0; expected 1 or more, or auto",
        ),
        ("model: {init: kmean}\n", r"model.init is 'kmean'; expected 'kmeans\+\+', 'split' or 'random'"),
        (
            "task: dictation\n",
            "task is 'dictation'; expected 'classification', 'verification', .* or '",
        ),
        ("task: verification\n", r"task: verification scores against a background model; set model.adapt: map"),
        ("task: anomoly\n", r"line 1: task is 'anomoly'; .*did you mean 'anomaly'\?"),
        ("task: segments\n", r"for this task write task: classification with a section segments"),
        ("seed: 1\nhmm: {passes: 2}\n", r"line 2: "),
        (
            "task: recognition\nmodel: {n_components: 3}\n",
            r"line 2: model.n_components is for task: .*; this configuration has task: recog.* hmm, rec",
        ),
        ("decision: {prior: 0.5}\n", r"decision is for task: verification"),
        ("scoring: {p_target: 0.5}\n", r"unknown key 'scoring.p_target'; it is 'decision.prior' now"),
        ("scoring: {cost_miss: 2}\n", r"unknown key 'scoring.cost_miss'; it belongs at 'decision.cost_miss'"),
        ("calibration: {method: logistic}\n", r"calibration.method is for task: verification"),
        ("calibration: {n_folds: 5}\n", r"calibration.n_folds has no effect with calibration.method: none"),
        ("calibration: {method: pav, p_target: 0.1}\n", r"calibration.p_target has no effect with .*method: pav"),
        ("calibration: {method: pav, quality: cohort}\n", r"calibration.quality has no effect with .*method: pav"),
        ("calibration: {quality: cohort}\n", r"calibration.quality has no effect with calibration.method: none"),
        (
            "task: verification\nmodel: {adapt: map}\nscoring: {normalise: z}\n"
            "calibration: {method: logistic, quality: cohort}\n",
            r"calibration.quality: cohort needs models of a cohort, and scoring.normalise: z makes none; set",
        ),
        ("calibration: {method: pav, by: dev, n_folds: 5}\n", r"calibration.n_folds has no effect with .*by: dev"),
        (
            "model: {adapt: map, variance_relevance: 3}\n",
            r"model.variance_relevance has no effect where variances are not",
        ),
        ("model: {mean_relevance: 3}\n", r"model.mean_relevance has no effect with model.adapt: none; set model.adapt"),
        (
            "model: {adapt: map, e_step: sparse, ubm: {balance: sex}}\n",
            r"e_step: sparse has no effect with model.ubm.bal",
        ),
        ("scoring: {normalise: s}\n", r"scoring.normalise is for task: verification"),
        ("scoring: {cohort_top: 5}\n", r"scoring.cohort_top is for scoring.normalise: as"),
        ("scoring: {cohort: ubm}\n", r"scoring.cohort: ubm has no effect without a norm"),
        ("scoring: {method: linear, top_components: 5}\n", r"top_components has no effect with scoring.method: linear"),
        (
            "task: verification\nmodel: {adapt: map, adapt_parameters: [means, weights]}\nscoring: {method: linear}\n",
            r"scoring.method: linear looks at adapted means alone",
        ),
        (
            "task: verification\ntrials: t\nmodel: {adapt: map}\nscoring: {trials_within: [sex]}\n",
            r"scoring.trials_within is for trials made of the corpus",
        ),
        (
            "parallel: {backend: slurm}\n",
            r"parallel.backend is 'slurm'; expected 'auto', 'threads', 'processes' or 'dask'",
        ),
        ("parallel: {memory: 2 gigs}\n", r"parallel.memory is '2 gigs'; expected a number with a unit, such as 500MB"),
        ("parallel: {memory: 500}\n", r"parallel.memory is 500, 500 bytes; expected at least 1MB.*unit missing"),
        (
            "parallel: {memory: 1GB}\nsegments: {}\n",
            r"parallel.memory is for task: .*; this .* with a section segments",
        ),
        ("corpus: {split: {kind: kfold, test: 0.5}}\n", r"corpus.split.test is for kind fraction; the kind is kfold"),
        ("corpus: {channel: left}\n", r"corpus.channel is 'left'"),
        ("model: 32\n", r"model is 32; expected a section with keys of its own: n_components"),
        ("seed: 1\nseed: 2\n", r"line 2: 'seed' is already set in line 1"),
        ("seed: [1\n", r"line 2: not YAML"),
        ("just words\n", r"keys and values are expected"),
        ("model: {n_components: true}\n", r"line 1: model.n_components is true; expected a number or a word\. YAML"),
        ("scoring: {top_components: 5}\n", r"top_components is 5, and model.adapt is none"),
        ("model: {adapt: map}\nscoring: {top_components: 999}\n", r"999; expected at most 128, model.ubm.n_components"),
        ("scoring: {top_components: 0}\n", r"scoring.top_components is 0; expected greater than or equal to 1"),
        ("model: {relevance: 4}\n", r"model.relevance has no effect with model.adapt: none"),
        (
            "model: {adapt: map, n_components: 4, ubm: {n_components: 64}}\n",
            r"model.n_components is 4 and model.ubm.n_components is 64",
        ),
        ("model: {adapt: map, adapt_parameters: []}\n", r"model.adapt_parameters is empty"),
        ("corpus: {kind: folder, path: m.tsv}\n", r"corpus.path is for the kinds manifest, kaldi and lhotse"),
        ("corpus: {channel: -1}\n", r"corpus.channel is -1"),
        ("corpus: {split: {test: 0.5}}\n", r"corpus.split.test is for kind fraction; the kind is column"),
        ("scoring: {temperature_folds: 1}\n", r"temperature_folds is 1; cross-validation needs 2"),
        ("scoring: {temperature_folds: 0, priors: train}\n", r"priors: train has no effect without a temperature"),
        ("task: [a]\n", r"line 1: task is \['a'\]; expected 'classification'"),
        (
            "corpus: {labels: {merge: [a, b]}}\n",
            r"corpus.labels.merge is \['a', 'b'\]; expected pairs of words, such as",
        ),
        ("corpus: {labels: {merge: {a: 3}}}\n", r"corpus.labels.merge is 3; expected text; write a number in quotes"),
        ("corpus: {labels: {ignore: sil}}\n", r"corpus.labels.ignore is 'sil'; expected a list, such as"),
        (f"seed: {'a' * 300}\n", r"seed is 'a{59}\.\.\.; expected integer$"),
        ("? [a, b]\n: 1\n", r"a key is a word"),
        ("a: &x [*x]\n", r"an alias within what it stands for"),
        ("features: {deltas: two}\n", r"line 1: features.deltas is 'two'"),
    ],
)
def test_a_wrong_key_or_value_is_named_with_its_line_and_what_was_expected(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(written(tmp_path, text))


def test_a_configuration_goes_to_another_process_and_comes_back() -> None:
    config = make_config({"task": "anomaly", "anomaly": {"folds": 3}})
    assert pickle.loads(pickle.dumps(config)) == config
    read = "import pickle, sys; print(pickle.load(sys.stdin.buffer).anomaly.folds)"
    there = subprocess.run([sys.executable, "-c", read], input=pickle.dumps(config), capture_output=True, check=True)
    assert there.stdout.strip() == b"3"


def test_all_mistakes_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(written(tmp_path, "sed: 1\nmodel: {tol: -1}\n"))
    assert "'sed'" in str(caught.value)
    assert "tol" in str(caught.value)


def test_paths_in_the_file_are_relative_to_it_and_paths_given_by_set_to_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    path = written(tmp_path, "corpus: {path: m.tsv, root: audio}\n")
    experiment = load_config(path)
    assert experiment.corpus_path() == tmp_path / "m.tsv"
    assert experiment.corpus_root() == tmp_path / "audio"
    assert load_config(path, ["corpus.root=../other"]).corpus_root() == tmp_path / "other"
    assert experiment.output() == tmp_path / "here" / "runs" / "experiment"


def test_a_known_corpus_is_looked_for_in_speechgmm_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "corpus: {kind: fsdd, label: digit}\n")
    monkeypatch.setenv("SPEECHGMM_DATA", str(tmp_path / "speech"))
    assert load_config(path).corpus_root() == tmp_path / "speech" / "fsdd"
    monkeypatch.delenv("SPEECHGMM_DATA")
    monkeypatch.chdir(tmp_path)
    assert load_config(path).corpus_root() == tmp_path / "data" / "fsdd"


def test_set_reaches_every_level_and_keeps_what_it_does_not_name(tmp_path: Path) -> None:
    path = written(tmp_path, "corpus: {split: fraction}\nmodel: {relevance: 4, adapt: none}\n")
    config = load_config(
        path, ["corpus.split.test=0.5", "seed=3", "model.adapt=map", "model.ubm.n_components=9"]
    ).config
    assert (config.corpus.split.kind, config.corpus.split.test) == ("fraction", 0.5)
    assert (config.seed, config.model.relevance, config.model.ubm.n_components) == (3, 4, 9)


def test_null_takes_keys_and_sections_back_to_their_defaults(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "task: recognition\ncorpus: {split: kfold, timit: {phones: 48}}\nhmm: {n_states: 5, beam: 7}\n"
        "recognition: {count_as: {zh: sh, cl: sil}, silence: sp}\n",
    )
    config = load_config(path, ["hmm.n_states=null", "recognition.count_as.zh=null", "corpus.split="]).config
    assert to_plain(config)["hmm"]["n_states"] == to_plain(default_config())["hmm"]["n_states"]
    assert to_plain(config)["hmm"]["beam"] == 7
    assert to_plain(config)["recognition"]["count_as"] == {"cl": "sil"}
    assert config.corpus.split.kind == "column"
    assert config.corpus.timit.phones == 48
    away = ["task=null", "hmm=null", "recognition=null", "corpus=null", "corpus.split=fraction"]
    assert load_config(path, away).config == make_config({"corpus": {"split": "fraction"}})
    for wrong in ("hmn=null", "hmm.n_state=null", "corpus.timit.phone=null"):
        with pytest.raises(ConfigError, match=wrong.partition("=")[0]):
            load_config(path, [wrong])


def test_another_kind_of_corpus_drops_what_belongs_to_the_kind_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "corpus: {kind: timit, label: phone, root: there, timit: {phones: 48, sa: keep}}\n")
    experiment = load_config(path, ["corpus.kind=manifest", f"corpus.path={tmp_path}/m.tsv"])
    corpus = experiment.config.corpus
    assert (corpus.kind, corpus.label, corpus.root, corpus.timit) == ("manifest", "phone", None, TimitSpec())
    assert experiment.corpus_path() == tmp_path / "m.tsv"
    assert list(experiment.notes) == [
        "corpus.kind is manifest, not timit as in the file, whose corpus.root, corpus.timit are left out"
    ]
    given = load_config(path, ["corpus.kind=folder", f"corpus.root={tmp_path}"])
    assert given.corpus_root() == tmp_path
    same = load_config(path, ["corpus.kind=timit"])
    assert (same.config, same.notes) == (load_config(path).config, ())
    table = written(tmp_path, "corpus: {path: m.tsv}\n")  # a manifest, as is the default
    assert load_config(table, ["corpus.kind=timit"]).config.corpus.path is None


@pytest.mark.parametrize("override", ["model.n_components", "=3", "model..x=1", "model.n_componentz=3"])
def test_a_malformed_set_is_refused(tmp_path: Path, override: str) -> None:
    with pytest.raises(ConfigError):
        load_config(written(tmp_path, "seed: 0\n"), [override])


def test_the_hash_is_of_what_can_change_the_result() -> None:
    base = make_config({})
    same = make_config({"parallel": {"n_jobs": 7}, "output": "elsewhere", "cache": "c", "corpus": {"root": "r"}})
    other = make_config({"seed": 1})
    assert config_hash(base) == config_hash(same) != config_hash(other)
    assert list(differences(to_plain(base), to_plain(same))) == ["corpus.root: 'r' there, None here"]
    assert list(differences(to_plain(base), to_plain(other))) == ["seed: 1 there, 0 here"]


def test_the_hash_of_settings_tells_versions_apart_whose_defaults_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    base, same = make_config({}), make_config({"parallel": {"n_jobs": 7}, "output": "o", "corpus": {"root": "r"}})
    written_out = make_config(to_plain(base))
    assert settings_hash(base) == settings_hash(same) == settings_hash(written_out)
    assert settings_hash(base) != settings_hash(make_config({"seed": 1}))

    # An earlier version: the same request, another default of model.max_iter.
    older = replace(base, model=replace(base.model, max_iter=20))
    monkeypatch.setattr("speechgmm.config.writing.default_config", lambda: older)
    assert config_hash(older) == "01e7b720ff566d53"
    monkeypatch.undo()
    assert config_hash(base) == "01e7b720ff566d53"
    assert settings_hash(older) != settings_hash(base)


def test_the_hash_of_a_configuration_outlives_settings_that_came_later() -> None:
    """Published beside results: a key at its default asks for what was asked for before there was the key."""
    written_out = make_config(to_plain(make_config({"model": {"n_components": 8}})))
    assert config_hash(written_out) == config_hash(make_config({"model": {"n_components": 8}})) == "4b3998fcde6f0212"
    assert config_hash(make_config({})) != config_hash(written_out)


@pytest.mark.parametrize("task", ["segments", "recognition", "anomaly"])
def test_a_configuration_that_is_written_and_read_back_has_the_same_hash(task: str) -> None:
    values = {"segments": {}} if task == "segments" else {"task": task}
    config = make_config({**values, "corpus": {"path": "m.tsv"}})
    read_back = make_config(yaml.safe_load(to_yaml(config)))
    assert config_hash(read_back) == config_hash(config) != config_hash(make_config({"corpus": {"path": "m.tsv"}}))
    assert settings_hash(read_back) == settings_hash(config)


def test_a_key_that_may_have_two_types_is_refused_in_one_line_with_both() -> None:
    with pytest.raises(ConfigError) as caught:
        make_config({"model": {"n_components": "many"}})
    assert str(caught.value) == "configuration: model.n_components is 'many'; expected integer or 'auto'"


def test_a_negative_number_of_workers_is_refused_unless_it_is_all_cores() -> None:
    with pytest.raises(ConfigError, match=r"parallel\.n_jobs is -5; expected greater than or equal to -1"):
        make_config({"parallel": {"n_jobs": -5}})


def test_a_cluster_with_workers_counted_in_the_file_blames_no_option() -> None:
    with pytest.raises(ConfigError, match=r"parallel\.n_jobs is 2, and counts workers on this machine") as caught:
        make_config({"parallel": {"n_jobs": 2, "backend": "dask", "scheduler": "tcp://h:1"}})
    assert caught.value.arguments == ()
