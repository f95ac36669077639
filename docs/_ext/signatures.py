"""What autodoc shows of a public name: its signature in short types, and no members of other packages."""

import re
from typing import Any

from numpy.typing import ArrayLike
from sphinx.util.typing import stringify_annotation

_ARRAY_LIKE = stringify_annotation(ArrayLike, "smart")
_NDARRAY = re.compile(r"~numpy\.ndarray\[tuple\[~typing\.Any, \.\.\.\], ~numpy\.dtype\[[~\w.]+\]\]")


def _signature(_app: Any, _what: str, _name: str, _obj: object, _options: Any, arguments: str, returned: str) -> Any:
    """Types of a signature by the names that NumPy gives them, and not spelled out."""
    return tuple(one and _shortened(one) for one in (arguments, returned))


def _shortened(signature: str) -> str:
    return _NDARRAY.sub("~numpy.ndarray", signature.replace(_ARRAY_LIKE, "array_like"))


def _skip(_app: Any, _what: str, name: str, _obj: object, _skipped: bool, _options: Any) -> bool | None:
    """Leave out what scikit-learn adds to every estimator to route metadata."""
    return True if re.fullmatch(r"set_\w+_request", name) else None


def setup(app: Any) -> dict[str, Any]:
    """Join Sphinx."""
    app.connect("autodoc-process-signature", _signature)
    app.connect("autodoc-skip-member", _skip)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
