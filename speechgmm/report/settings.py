"""Sections of a run's configuration in a line."""

from speechgmm.config import default_config, other_than, to_plain
from speechgmm.engine.run_folder import RunFolder


def settings_of(run: RunFolder, name: str, always: tuple[str, ...]) -> str:
    """A section of the configuration in a line: these keys, and what differs from the defaults."""
    given, default = run.config.get(name) or {}, to_plain(default_config()).get(name) or {}
    asked = {**{key: given[key] for key in always if given.get(key) is not None}, **other_than(default, given)}
    found = []
    for key, value in asked.items():
        if isinstance(value, dict):
            found.append(f"{key} ({', '.join(f'{k} {v}' for k, v in value.items() if v is not None)})")
        else:
            found.append(f"{key} {' + '.join(map(str, value)) if isinstance(value, list) else value}")
    return ", ".join(found) or "defaults"


def mixtures_of(run: RunFolder) -> list[tuple[str, str]]:
    """The mixtures of the classes in a line."""
    # Adapted models have the components of the background model, whatever n_components says.
    adapted = (run.config.get("model") or {}).get("adapt") == "map"
    said = settings_of(run, "model", ("adapt", "ubm") if adapted else ("n_components",))
    # Where nobody said how many components there are, frames did.
    sizes = sorted({int(row["n_components"]) for row in run.classes if row["class"].startswith("(") == adapted})
    if sizes and "n_components" not in said:
        said += f"; {sizes[0]} components" if len(sizes) == 1 else f"; {sizes[0]} to {sizes[-1]} components"
    return [("Models", said)]
