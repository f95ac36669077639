"""Which labels of a corpus its recordings contradict."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from speechgmm.tasks.options import JobsOfRun, Overrides, Quiet


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """List labels that may be wrong: one label for several voices, or two labels for the same voice."""

    source: Annotated[
        Path, typer.Argument(help="a configuration, or the folder of a run", metavar="CONFIG|RUN", show_default=False)
    ]
    overrides: Overrides = None
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="write the table (TSV) here as well")] = None
    jobs: JobsOfRun = None
    quiet: Quiet = False

    def run(self) -> None:
        """Compare sessions (corpus.session) or recordings of every label, and print what does not fit.

        Raises:
            ConfigError: The configuration is wrong.
            DataError: The corpus cannot be read, or nothing in it can be used.
        """
        from speechgmm.cli.experiment_commands import overrides_of
        from speechgmm.config import load_config
        from speechgmm.engine import prepare
        from speechgmm.engine.console import Console
        from speechgmm.engine.label_audit import audit_labels
        from speechgmm.io.atomic import write_text
        from speechgmm.io.locks import using_cache
        from speechgmm.io.run_files import RunFile, is_run

        path = self.source / RunFile.CONFIG if is_run(self.source) else self.source
        experiment = load_config(path, overrides_of(self))
        with using_cache(experiment.cache()):
            job = prepare(experiment, console=Console(quiet=self.quiet))
            features = replace(job.task.extract(job)[0], copies=())
            found = audit_labels(job, features)
        if self.out is not None:
            write_text(self.out, found.table())
        for note in found.notes:
            print(note)
        for doubt in found.doubts:
            print(doubt.line())
        if found.is_judged and not found.doubts:
            print(f"no label of {features.corpus.label!r} is in doubt")
