"""The demo: the whole job on speech generated on the spot."""

import json
import time
from pathlib import Path

from speechgmm.cli.results import print_result
from speechgmm.config import Experiment, load_config
from speechgmm.config.catalogue import configuration_path
from speechgmm.engine.console import Console
from speechgmm.engine.runs import run
from speechgmm.report.text import shown
from speechgmm.tasks.classification.command import Score

SENTENCE = "Nobody has ever heard this sentence before."
ABOUT = """\
The speech is synthetic: twelve voices of one synthesiser, with noise and changes of level. Results on it show that the
chain from recordings to decisions works; they say nothing about how well it would do on people."""


def demo(out: Path, jobs: int | None, quiet: bool) -> None:
    """Train and test speakers and phones on generated speech, then score a recording that no model has seen.

    Raises:
        ConfigError: The extra ``demo`` is not installed, or ``out`` belongs to something else.
    """
    from speechgmm.demo import VOICES, speak_recording

    begun = time.perf_counter()
    for task in ("speakers", "phones"):
        print(f"\n=== {task} " + "=" * (70 - len(task)))
        print_result(run(_experiment(task, out, jobs), console=Console(quiet=quiet)))
    voice = VOICES[0]
    path = speak_recording(out / "new" / "unheard.wav", SENTENCE, voice, seed=1)
    print(f"\n=== a recording that no model has seen {'=' * 40}")
    print(f'the voice {voice.name!r} says: "{SENTENCE}"\n$ speechgmm score {shown(out / "speakers")} {shown(path)}')
    Score(model=out / "speakers", audio=[path], quiet=quiet).run()
    print(f"\n{ABOUT}")
    print(f"\nresults: {shown(out.absolute())}   ({time.perf_counter() - begun:.0f} s)")
    print("next: your own recordings, a folder per class: speechgmm init FOLDER")


def _experiment(task: str, out: Path, jobs: int | None) -> Experiment:
    places = (("corpus.root", "speech"), ("output", task), ("cache", "cache"))
    overrides = [  # quoted: a value is YAML
        *(f"{key}={json.dumps(str(out / name), ensure_ascii=False)}" for key, name in places),
        *([f"parallel.n_jobs={jobs}"] if jobs is not None else []),
    ]
    return load_config(configuration_path(f"demo-{task}"), overrides)
