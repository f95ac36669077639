"""The tasks, a folder each: mathematics, training, evaluation, model file, report and command. Imports none of them.

A new task is its folder and one line here, which puts it into the engine's table; it is loaded when it is asked for.
"""

from speechgmm.engine.task import register, register_kind

register("classification", "speechgmm.tasks.classification.task:TASK")
register("segments", "speechgmm.tasks.segments.task:TASK", task="classification", section="segments")
register("verification", "speechgmm.tasks.verification.task:TASK")
register("recognition", "speechgmm.tasks.recognition.task:TASK")
register("anomaly", "speechgmm.tasks.anomaly.task:TASK")
register("clustering", "speechgmm.tasks.clustering.task:TASK")
register("diarization", "speechgmm.tasks.diarization.task:TASK")

register_kind("classes", "speechgmm.tasks.verification.description:describe")
register_kind("segments", "speechgmm.tasks.segments.description:describe")
register_kind("recogniser", "speechgmm.tasks.recognition.description:describe")
register_kind("anomaly", "speechgmm.tasks.anomaly.description:describe")
register_kind("clustering", "speechgmm.tasks.clustering.description:describe")
register_kind("diarizer", "speechgmm.tasks.diarization.description:describe")
