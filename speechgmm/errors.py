"""Every error this package raises on purpose.

    SpeechGMMError
    ├── ConfigError      the command line or the configuration is wrong       (exit status 2)
    │   ├── MethodError  a method that a loaded model does not have
    │   └── KeywordError a keyword of scikit-learn that is called otherwise here
    ├── DataError        a recording, a manifest or a label cannot be used    (exit status 1)
    │   └── SilentRecordingError  a recording that is digital silence throughout
    ├── ShapeError       arrays that do not fit together
    ├── FitError         a mixture that cannot be estimated from these frames
    └── ModelFileError   a file that is not a model this version can read      (exit status 2)

And two warnings. ``FitWarning``: a mixture is not what its user may take it for. ``RecordingWarning``: a recording is
used with a fault.

A message is one paragraph: what was given, what was expected, the likely mistake.
"""

from collections.abc import Collection
from itertools import islice
from typing import ClassVar, Self


def first_few(names: Collection[object], most: int) -> str:
    """The first names of several, for a message.

    >>> first_few(["a", "b", "c"], 2), first_few(["a"], 2)
    ('a, b, ...', 'a')
    """
    return ", ".join(map(str, islice(names, most))) + (", ..." if len(names) > most else "")


def counted(n: int, one: str, several: str = "") -> str:
    """A number with what it counts, for a message; ``several`` is the plural, by default with an s or es.

    >>> counted(1, "class"), counted(3, "class"), counted(1, "recording is", "recordings are")
    ('1 class', '3 classes', '1 recording is')
    """
    return f"{n} {one if n == 1 else several or one + ('es' if one.endswith('s') else 's')}"


class SpeechGMMError(Exception):
    """Base of every error raised on purpose.

    ``arguments`` names the Python arguments that the message speaks of, so that a command can say which of its options
    are meant.

    >>> ConfigError("keep is 1.5; expected 0 to 1", arguments=("keep",)).arguments
    ('keep',)
    """

    def __init__(self, *args: object, arguments: tuple[str, ...] = ()) -> None:
        super().__init__(*args)
        self.arguments = arguments


class ConfigError(SpeechGMMError):
    """The command line or the configuration is wrong."""


class MethodError(ConfigError, AttributeError):
    """A loaded model was asked for what its task cannot do; the message names what it can."""


class KeywordError(ConfigError, TypeError):
    """A keyword that a function does not have, and scikit-learn does; the message names ours."""


class DataError(SpeechGMMError):
    """A recording, a manifest or a label cannot be used."""

    def about(self, what: object) -> Self:
        """The error with a message that begins with ``what`` (a recording), unless the message names it already.

        >>> DataError("no samples").about("a.wav"), DataError("a.wav: no samples").about("a.wav")
        (DataError('a.wav: no samples'), DataError('a.wav: no samples'))
        """
        return self if str(what) in str(self) else type(self)(f"{what}: {self}")


class SilentRecordingError(DataError):
    """A recording that is digital silence throughout: all its samples are equal."""

    CAUSE: ClassVar[str] = "a muted channel or a failed recording"
    """How the message ends, by which a reason that was kept as text is known again."""

    def __init__(self, what: str) -> None:
        super().__init__(what if self.CAUSE in what else f"{what}; {self.CAUSE}")


class ShapeError(SpeechGMMError):
    """Arrays that do not fit together."""


class FitError(SpeechGMMError):
    """A mixture that cannot be estimated from these frames."""


class ModelFileError(SpeechGMMError):
    """A file that is not a model this version can read."""


def check_type(name: str, value: object, kind: type | tuple[type, ...], expected: str) -> None:
    """Raise ConfigError for an argument of another type; True and False are no numbers.

    >>> check_type("top", "3", int, "a whole number")
    Traceback (most recent call last):
    speechgmm.errors.ConfigError: top is '3'; expected a whole number
    """
    if isinstance(value, bool) or not isinstance(value, kind):
        raise ConfigError(f"{name} is {value!r}; expected {expected}", arguments=(name,))


class FitWarning(UserWarning):
    """A mixture is not what its user may take it for; the message says why and what to do."""


class RecordingWarning(UserWarning):
    """A recording is used with a fault; the message says which and what to do."""
