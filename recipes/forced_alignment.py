"""Where do phones begin? Forced alignment of TIMIT by speakers who were not trained on, against the labels of hands.

    python recipes/forced_alignment.py PLACE_OF_TIMIT FOLDER

In every fold, HMMs of the phones are trained on its other speakers; each of its recordings is aligned to the phones
that the labels have, in their order and without their times. The units are the 48 of Lee & Hon (1989), zh counted as
sh (two speakers alone have it), and the glottal stop, so that nothing is left out of a recording. A boundary is where
a phone begins that has another before it.
"""

from pathlib import Path

import numpy as np
import typer

import speechgmm as sg
from speechgmm.corpus.reader_specs import TimitSpec
from speechgmm.corpus.readers.timit import fold_phone, read_timit
from speechgmm.engine.job import prepare
from speechgmm.evaluation import boundary_errors, interval, within
from speechgmm.tasks.recognition.codec import read_recogniser
from speechgmm.tasks.recognition.decoding import align_recordings

TOLERANCES = (0.010, 0.020, 0.050)  # s


def main(root: Path, folder: Path, config: str = "configs/timit-alignment.yaml", set: list[str] | None = None) -> None:
    """Train the folds, align what each has not heard, and print the shares of boundaries within the tolerances."""
    rows = ["path\tid\tstart\tend\tphone\tspeaker"]
    for u in read_timit(root.absolute(), "phone", TimitSpec(phones=61)):
        phone = "sh" if u.label("phone") == "zh" else fold_phone(u.label("phone"), 48) or u.label("phone")
        rows.append(f"{u.path.relative_to(root.absolute())}\t{u.id}\t{u.start}\t{u.end}\t{phone}\t{u.label('speaker')}")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.tsv").write_text("\n".join(rows) + "\n")
    overrides = [f"corpus.path={folder.absolute() / 'manifest.tsv'}", f"corpus.root={root.absolute()}", *(set or [])]
    sg.run(config, overrides, output=folder / "run", until="train")
    job = prepare(config, overrides)
    errors: list[np.ndarray] = []
    speakers: list[str] = []
    for fold in job.folds:
        tested, trained = (fold.apply(job.corpus).split(part) for part in ("test", "train"))
        assert not {u.label("speaker") for u in tested} & {u.label("speaker") for u in trained}
        file = read_recogniser(folder / "run" / "folds" / fold.name / "models.safetensors")
        for path in dict.fromkeys(u.path for u in tested):
            said = [u for u in tested if u.path == path]  # in the order of the labels
            reference = [(u.label("phone"), u.start or 0.0, u.end or 0.0) for u in said]
            ((_, heard),) = align_recordings(file, {path: [phone for phone, _, _ in reference]})
            if isinstance(heard, Exception):
                raise heard
            errors.append(boundary_errors(reference, [(one.label, one.start, one.end) for one in heard.tiers["words"]]))
            speakers += [said[0].label("speaker")] * len(errors[-1])
    every, (names, groups) = np.concatenate(errors), np.unique(speakers, return_inverse=True)
    print(f"{len(every)} boundaries, {len(names)} speakers; median error {1000 * np.median(every):.1f} ms")
    for tolerance in TOLERANCES:
        share = within(every, tolerance)
        bounds = interval(share, groups)
        each = ", ".join(f"{name} {share((groups == n) * 1.0):.1%}" for n, name in enumerate(names))
        value = f"{share(np.ones(len(every))):.1%} (95 %: {bounds.low:.1%} to {bounds.high:.1%})"
        print(f"within {1000 * tolerance:.0f} ms: {value}; {each}")


if __name__ == "__main__":
    typer.run(main)
