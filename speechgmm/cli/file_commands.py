"""Files and folders: what is in them, and where they come from."""

from pathlib import Path
from typing import Annotated

import typer

from speechgmm.cli.app import Debug, Jobs, Quiet, app


@app.command("inspect")
def inspect_command(
    what: Annotated[
        Path,
        typer.Argument(help="a model file, a run's folder, or a folder of features", metavar="MODEL|RUN|FEATURES"),
    ],
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """What is in this file or folder, for a person."""
    from speechgmm.cli.inspection import inspect

    print(inspect(what))


@app.command("init")
def init_command(
    folder: Annotated[Path, typer.Argument(help="a folder of recordings, or a table of them", metavar="FOLDER|TABLE")],
    purpose: Annotated[
        str | None,
        typer.Option(
            "--for",
            "--task",
            metavar="PURPOSE",
            help="speaker, phone, word, sound, verification or anomaly; default: guessed from the recordings",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="default: FOLDER's name with .yaml, here")
    ] = None,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Look at recordings, say what is there, and write a configuration for them."""
    from speechgmm.cli.starter import write_starter
    from speechgmm.engine.console import Console

    starter = write_starter(folder, out, purpose=purpose, warn=Console().warn)
    print("\n".join([str(starter.path), *starter.lines, f"next: speechgmm run {starter.path}"]))


@app.command("fetch")
def fetch_command(
    corpus: Annotated[str, typer.Argument(help="fsdd: the Free Spoken Digit Dataset", metavar="CORPUS")],
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="default: where a configuration looks for it")
    ] = None,
    url: Annotated[str | None, typer.Option("--url", metavar="URL", help="a mirror; checked all the same")] = None,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Download a public corpus, checked against a pinned hash; one that was interrupted goes on from there."""
    from speechgmm.cli.download import fetch_corpus

    print(fetch_corpus(corpus, to, url, quiet))


@app.command("demo")
def demo_command(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="folder for the speech and the results")] = Path(
        "runs/demo"
    ),
    jobs: Jobs = None,
    quiet: Quiet = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """The whole job on speech generated on the spot: speakers, phones, and a recording never seen."""
    from speechgmm.demo.command import demo

    demo(out, jobs, quiet)


@app.command("schema")
def schema_command(
    template: Annotated[bool, typer.Option("--template", help="a commented YAML file with every key instead")] = False,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Print the JSON Schema of the configuration, for editors that complete and check YAML."""
    import json

    from speechgmm.config import json_schema
    from speechgmm.config import template as commented

    print(commented() if template else json.dumps(json_schema(), indent=1), end="" if template else "\n")


@app.command("cache")
def cache_command(
    clear: Annotated[bool, typer.Option("--clear", help="remove all cached features and class models")] = False,
    folder: Annotated[
        Path | None, typer.Option("--folder", metavar="DIR", help="another cache than the default")
    ] = None,
    debug: Debug = False,  # noqa: ARG001
) -> None:
    """Show or clear the cache of features and class models that all runs share."""
    from speechgmm.cli.inspection import clear_cache, describe_cache

    print(clear_cache(folder) if clear else describe_cache(folder))
