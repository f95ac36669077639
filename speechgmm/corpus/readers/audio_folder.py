"""AudioFolder, as Hugging Face's datasets calls it: ``metadata.csv`` or ``metadata.jsonl`` beside the recordings.

    sounds/metadata.csv    file_name,speaker          or one in a folder for each split: sounds/train/metadata.csv
    sounds/a.wav           a.wav,anna

Other names of the column of paths are read, too (`table_columns.OTHER_NAMES`).
"""

from pathlib import Path, PurePosixPath

from speechgmm.corpus.readers.files import SPLIT_NAMES
from speechgmm.corpus.readers.layout import check_root
from speechgmm.corpus.readers.manifest import TABLES, Row, corpus_of_rows
from speechgmm.corpus.table_columns import renamed
from speechgmm.corpus.utterance import Corpus


def read_audio_folder(root: Path, label: str | None) -> Corpus:
    """The recordings that the metadata list, with a column of labels for each of its other columns.

    Args:
        root: The folder. Folders in it that are named after splits may have their own metadata.
        label: The column to model; None: no labels are needed.

    Raises:
        DataError: No metadata, or rows that are wrong (all are listed).
    """
    check_root(root, lambda folder: bool(metadata_files(folder)), "an AudioFolder, with metadata.csv or metadata.jsonl")
    rows: list[tuple[str, Row]] = []
    for split, file in metadata_files(root):
        folder = file.parent.relative_to(root).as_posix()
        for number, row in enumerate(renamed(file), 1):
            placed = {**row, "path": str(PurePosixPath(folder) / row["path"])} if row["path"] else row
            rows.append((f"{file.relative_to(root)}, row {number}", {**({"split": split} if split else {}), **placed}))
    return corpus_of_rows(root, rows, root, label)


def metadata_files(root: Path) -> list[tuple[str, Path]]:
    """(split, file) of all metadata; the split is empty for that of the folder itself."""
    folders = [("", root)] if root.is_dir() else []
    folders += [
        (SPLIT_NAMES[child.name.lower()], child)
        for _, top in folders
        for child in sorted(top.iterdir())
        if child.is_dir() and child.name.lower() in SPLIT_NAMES
    ]
    files = ((split, folder / f"metadata{ending}") for split, folder in folders for ending in TABLES)
    return [(split, file) for split, file in files if file.is_file()]
