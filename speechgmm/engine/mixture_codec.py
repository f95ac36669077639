"""A mixture and how it was trained as bytes, for the cache of models."""

import json
from dataclasses import asdict, replace
from pathlib import Path

from speechgmm.engine.class_report import ClassReport
from speechgmm.gmm import AnyGMM, Candidate
from speechgmm.io.container import format_of, packed, read_tensors, stack, unstack_all
from speechgmm.io.posterior_part import posterior_part, read_posterior_part


def pack_mixture(model: AnyGMM, report: ClassReport) -> bytes:
    """The bytes of a mixture and its report; the same content gives the same bytes."""
    tensors = stack("", (model,))
    about = asdict(replace(report, posterior=None))
    if report.posterior is not None:
        about["posterior"], arrays = posterior_part("posterior.", (report.posterior,))
        tensors |= arrays
    # As a string: an objective may be infinite, which a header may not.
    return packed({"format": format_of((model,)), "report": json.dumps(about)}, tensors)


def unpack_mixture(path: Path, data: bytes) -> tuple[AnyGMM, ClassReport]:
    """The inverse of ``pack_mixture``; ``path`` is for messages.

    Raises:
        ModelFileError: A part is missing.
        ShapeError: A parameter that no mixture can have.
    """
    tensors, header = read_tensors(path, data)
    report = json.loads(header["report"])
    (model,) = unstack_all("", tensors, [len(tensors["weights"])])
    if report.get("posterior") is not None:
        report["posterior"] = read_posterior_part("posterior.", report["posterior"], tensors)[0]
    report["candidates"] = [Candidate(**candidate) for candidate in report["candidates"]]
    lists = {name: tuple(value) for name, value in report.items() if isinstance(value, list)}
    return model, ClassReport(**{**report, **lists})
