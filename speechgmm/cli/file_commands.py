"""Files and folders: what is in them, and where they come from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from speechgmm.tasks.options import JobsOfRun, Quiet


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspect:
    """Describe a model file, the folder of a run, or a folder of features."""

    what: Annotated[
        Path,
        typer.Argument(help="a model file, a run's folder, or a folder of features", metavar="MODEL|RUN|FEATURES"),
    ]

    def run(self) -> None:
        """Print it."""
        from speechgmm.cli.inspection import inspect

        print(inspect(self.what))


@dataclass(frozen=True, slots=True, kw_only=True)
class Init:
    """Examine recordings, describe what was found, and write a configuration for them."""

    folder: Annotated[
        Path, typer.Argument(help="a folder of recordings, or a table that lists them", metavar="FOLDER|TABLE")
    ]
    purpose: Annotated[
        str | None,
        typer.Option(
            "--for",
            "--task",
            metavar="PURPOSE",
            help="speaker, phone, word, sound, verification or anomaly; default: guessed from the recordings",
        ),
    ] = None
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE",
            help="the configuration; default: the name of FOLDER with .yaml, in the current folder",
        ),
    ] = None

    def run(self) -> None:
        """Write the file, and print what was found and the next command."""
        from speechgmm.cli.starter import write_starter
        from speechgmm.engine.console import Console

        starter = write_starter(self.folder, self.out, purpose=self.purpose, warn=Console().warn)
        first = f"mend {starter.path} as the warning says, then " if starter.problem else ""
        print("\n".join([str(starter.path), *starter.lines, f"next: {first}speechgmm run {starter.path}"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Configs:
    """List the configurations that come with the package; `speechgmm run NAME` runs one."""

    show: Annotated[str | None, typer.Option("--show", metavar="NAME", help="print this configuration instead")] = None

    def run(self) -> None:
        """Print names and what each is for, or the text of one configuration."""
        from speechgmm.config.catalogue import configuration_path, configurations, summary
        from speechgmm.report.text import print_table

        if self.show is not None:
            print(configuration_path(self.show).read_text(encoding="utf-8"), end="")
        else:
            print_table([(name, summary(path)) for name, path in configurations().items()], head=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """Download a public corpus and check it against a pinned hash."""

    corpus: Annotated[str, typer.Argument(help="fsdd: the Free Spoken Digit Dataset", metavar="CORPUS")]
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="DIR", help="folder for the corpus; default: where configurations look for it"),
    ] = None
    url: Annotated[
        str | None, typer.Option("--url", metavar="URL", help="download from this mirror; the same hash is checked")
    ] = None
    quiet: Quiet = False

    def run(self) -> None:
        """Download, and print where the corpus is."""
        from speechgmm.cli.download import fetch_corpus

        print(fetch_corpus(self.corpus, self.to, self.url, self.quiet))


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """Generate synthetic speech; train and test models of speakers and phones; score a new recording."""

    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="folder for the speech and the results")] = Path(
        "runs/demo"
    )
    jobs: JobsOfRun = None
    quiet: Quiet = False

    def run(self) -> None:
        """Run the demo."""
        from speechgmm.cli.demo import demo

        demo(self.out, self.jobs, self.quiet)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """Print the JSON Schema of configurations, by which editors complete and check YAML."""

    template: Annotated[bool, typer.Option("--template", help="print a commented YAML file with every key instead")] = (
        False
    )

    def run(self) -> None:
        """Print it."""
        import json

        from speechgmm.config import json_schema, template

        print(template() if self.template else json.dumps(json_schema(), indent=1), end="" if self.template else "\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """Show the size of the cache of features and models that all runs share, or clear it."""

    clear: Annotated[bool, typer.Option("--clear", help="remove all cached features and models")] = False
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder",
            metavar="DIR",
            help="folder of the cache; default: $SPEECHGMM_CACHE, else the user's cache folder",
        ),
    ] = None

    def run(self) -> None:
        """Do it, and print the size."""
        from speechgmm.cli.inspection import clear_cache, describe_cache

        print(clear_cache(self.folder) if self.clear else describe_cache(self.folder))
