"""Configuration: YAML in, one frozen ``Config`` out; and back again."""

from speechgmm.config.experiment import Experiment, cache_folder, data_folder
from speechgmm.config.reading import load_config, make_config
from speechgmm.config.spec import Config, ParallelSpec, ReportSpec, TableSpec
from speechgmm.config.task_settings import Section, TaskSettings, default_config
from speechgmm.config.writing import (
    NOT_IN_THE_RESULT,
    config_hash,
    differences,
    flat,
    json_schema,
    other_than,
    settings_hash,
    template,
    to_plain,
    to_yaml,
    told_settings,
)
from speechgmm.config.yaml_text import plain_values

__all__ = [
    "NOT_IN_THE_RESULT",
    "Config",
    "Experiment",
    "ParallelSpec",
    "ReportSpec",
    "Section",
    "TableSpec",
    "TaskSettings",
    "cache_folder",
    "config_hash",
    "data_folder",
    "default_config",
    "differences",
    "flat",
    "json_schema",
    "load_config",
    "make_config",
    "other_than",
    "plain_values",
    "settings_hash",
    "template",
    "to_plain",
    "to_yaml",
    "told_settings",
]
