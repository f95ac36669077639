"""Every error this package raises on purpose.

    SpeechGMMError
    ├── ConfigError      the command line or the configuration is wrong       (exit status 2)
    ├── DataError        a recording, a manifest or a label cannot be used    (exit status 1)
    ├── ShapeError       arrays that do not fit together
    ├── FitError         a mixture that cannot be estimated from these frames
    └── ModelFileError   a file that is not a model this version can read

A message is one paragraph: what was given, what was expected, the likely mistake.
"""


class SpeechGMMError(Exception):
    """Base of every error raised on purpose."""


class ConfigError(SpeechGMMError):
    """The command line or the configuration is wrong."""


class DataError(SpeechGMMError):
    """A recording, a manifest or a label cannot be used."""


class ShapeError(SpeechGMMError):
    """Arrays that do not fit together."""


class FitError(SpeechGMMError):
    """A mixture that cannot be estimated from these frames."""


class ModelFileError(SpeechGMMError):
    """A file that is not a model this version can read."""


class FitWarning(UserWarning):
    """A mixture that was estimated, and may not be what was meant; in a run, the console says it instead."""
